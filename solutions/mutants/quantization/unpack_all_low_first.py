"""All low halves, then all high ones.

task: quantization.unpack_int4
says: pairs-halves-of-the-row
"""

import torch


def unpack_int4(packed, columns):
    codes = torch.cat([packed & 15, packed >> 4], 1)[:, :columns].to(torch.int8)
    return torch.where(codes > 7, codes - 16, codes)
