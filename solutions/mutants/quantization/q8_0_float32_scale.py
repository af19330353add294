"""Forgets to make the scale a float16.

task: quantization.q8_0
says: scale-in-float32
"""

import torch


def q8_0(x):
    rows = x.float().reshape(-1, 32)
    d = rows.abs().amax(1, keepdim=True) / 127
    scaled = rows * torch.where(d == 0, 0.0, 1 / d)
    codes = scaled.sign() * (scaled.abs() + 0.5).floor()
    return torch.cat([d.view(torch.uint8), codes.to(torch.int8).view(torch.uint8)], 1)
