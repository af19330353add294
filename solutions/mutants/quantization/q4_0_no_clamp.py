"""The number opposite to the largest gets the code 16.

task: quantization.q4_0
says: no-clamp
"""

import torch


def q4_0(x):
    rows = x.float().reshape(-1, 32)
    d = rows.gather(1, rows.abs().argmax(1, keepdim=True)) / -8
    codes = (rows * torch.where(d == 0, 0.0, 1 / d) + 8.5).floor().int()
    return torch.cat([d.half().view(torch.uint8), (codes[:, :16] | codes[:, 16:] << 4).to(torch.uint8)], 1)
