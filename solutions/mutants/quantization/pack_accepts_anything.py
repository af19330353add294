"""Lets a code of 8 through: it comes back as -8.

task: quantization.pack_int4
says: accepts-invalid-value
"""

import torch


def pack_int4(codes):
    codes = torch.nn.functional.pad(codes.int(), (0, codes.shape[1] % 2))
    return ((codes[:, 0::2] & 15) | ((codes[:, 1::2] & 15) << 4)).to(torch.uint8)
