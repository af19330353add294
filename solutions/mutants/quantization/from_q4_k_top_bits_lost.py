"""Reads four bits of scales and minima 4..7.

task: quantization.from_q4_k
says: scales-without-their-top-bits
"""

import torch


def from_q4_k(blocks):
    units = blocks[:, :4].contiguous().view(torch.float16).float()
    low, mid, high = blocks[:, 4:16].int().reshape(-1, 3, 4).unbind(1)
    s = torch.cat([low & 63, high & 15], 1) * units[:, :1]
    m = torch.cat([mid & 63, high >> 4], 1) * units[:, 1:]
    body = blocks[:, 16:].int().reshape(-1, 4, 1, 32)
    codes = torch.cat([body & 15, body >> 4], 2).reshape(-1, 8, 32)
    return (s[..., None] * codes - m[..., None]).reshape(-1, 256)
