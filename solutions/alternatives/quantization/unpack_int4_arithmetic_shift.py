"""Moves the sign bit up and shifts back, as kernels do.

task: quantization.unpack_int4
"""

import torch


def unpack_int4(packed, columns):
    signed = packed.view(torch.int8)
    both = torch.stack([(signed << 4) >> 4, signed >> 4], dim=-1)
    return both.flatten(-2)[:, :columns]
