"""One block and one part at a time, float64.

task: quantization.q4_k
"""

import struct

import torch


def _half(value):
    return struct.unpack("<e", struct.pack("<e", value))[0]


def q4_k(x):
    rows = []
    for block in x.reshape(-1, 8, 32).double():
        low = [min(0.0, part.min().item()) for part in block]
        step = [(part.max().item() - least) / 15 for part, least in zip(block, low)]
        d, dmin = _half(max(step) / 63), _half(-min(low) / 63)
        s = [min(63, round(one / d)) if d else 0 for one in step]
        m = [min(63, round(-one / dmin)) if dmin else 0 for one in low]
        codes = []
        for part, scale, least in zip(block, s, m):
            grid = d * scale
            codes.append([min(15, max(0, round((v + dmin * least) / grid))) if grid else 0 for v in part.tolist()])
        out = list(struct.pack("<ee", d, dmin))
        out += [s[j] + 64 * (s[j + 4] // 16) for j in range(4)] + [m[j] + 64 * (m[j + 4] // 16) for j in range(4)]
        out += [s[j + 4] % 16 + 16 * (m[j + 4] % 16) for j in range(4)]
        out += [a + 16 * b for p in range(4) for a, b in zip(codes[2 * p], codes[2 * p + 1])]
        rows.append(out)
    return torch.tensor(rows, dtype=torch.uint8)
