"""torch.round rounds ties to even, C's roundf does not.

task: quantization.q8_0
says: ties-to-even
"""

import torch


def q8_0(x):
    rows = x.float().reshape(-1, 32)
    d = rows.abs().amax(1, keepdim=True) / 127
    scaled = rows * torch.where(d == 0, 0.0, 1 / d)
    codes = scaled.round()
    return torch.cat([d.half().view(torch.uint8), codes.to(torch.int8).view(torch.uint8)], 1)
