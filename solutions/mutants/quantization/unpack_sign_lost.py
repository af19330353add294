"""Returns 0..15.

task: quantization.unpack_int4
says: sign-lost
"""

import torch


def unpack_int4(packed, columns):
    codes = torch.stack([packed & 15, packed >> 4], -1).flatten(1)
    return codes[:, :columns].to(torch.int8)
