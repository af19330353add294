"""The first code into the high bits.

task: quantization.pack_int4
says: nibbles-swapped
"""

import torch


def pack_int4(codes):
    if ((codes < -8) | (codes > 7)).any():
        raise ValueError(f"four bits hold -8..7, not {int(codes[(codes < -8) | (codes > 7)][0])}")
    codes = torch.nn.functional.pad(codes.int(), (0, codes.shape[1] % 2))
    return ((codes[:, 1::2] & 15) | ((codes[:, 0::2] & 15) << 4)).to(torch.uint8)
