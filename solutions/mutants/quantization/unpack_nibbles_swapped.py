"""The high bits first.

task: quantization.unpack_int4
says: nibbles-swapped
"""

import torch


def unpack_int4(packed, columns):
    codes = torch.stack([packed >> 4, packed & 15], -1).flatten(1)[:, :columns].to(torch.int8)
    return torch.where(codes > 7, codes - 16, codes)
