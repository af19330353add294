"""Packs as pack_int4 does.

task: quantization.q4_0
says: neighbours-share-a-byte
"""

import torch


def q4_0(x):
    rows = x.float().reshape(-1, 32)
    d = rows.gather(1, rows.abs().argmax(1, keepdim=True)) / -8
    codes = (rows * torch.where(d == 0, 0.0, 1 / d) + 8.5).floor().clamp(0, 15).int()
    return torch.cat([d.half().view(torch.uint8), (codes[:, 0::2] | codes[:, 1::2] << 4).to(torch.uint8)], 1)
