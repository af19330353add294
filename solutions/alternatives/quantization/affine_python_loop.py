"""One group at a time.

task: quantization.affine
"""

import torch


def affine(x, bits, by):
    size = x.numel() if by == "tensor" else x.shape[1] if by == "channel" else by
    codes, scales, zeros = [], [], []
    for group in x.reshape(-1).split(size):
        low, high = min(0.0, group.min().item()), max(0.0, group.max().item())
        scale = (high - low) / (2**bits - 1) or 1.0
        zero = round(-low / scale)
        codes += [min(max(round(v / scale) + zero, 0), 2**bits - 1) for v in group.tolist()]
        scales.append([scale])
        zeros.append([zero])
    dtype = torch.uint8
    return torch.tensor(codes, dtype=dtype).reshape(x.shape), torch.tensor(scales), torch.tensor(zeros, dtype=dtype)
