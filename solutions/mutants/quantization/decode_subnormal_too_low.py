"""Drops the leading one of subnormal numbers, and keeps the exponent 0 - bias.

task: quantization.decode_float
says: subnormal-one-power-too-low
"""

import torch


def decode_float(codes, exponent_bits, mantissa_bits, infinities=True):
    top, full = 2**exponent_bits - 1, 2**mantissa_bits
    m, e, s = codes % full, codes // full % (top + 1), codes // full // (top + 1) % 2
    value = (m / full + (e > 0)).double() * torch.exp2(e.double() - top // 2)
    value = torch.where(s == 1, -value, value)
    if infinities:
        value = torch.where((e == top) & (m == 0), torch.where(s == 1, -torch.inf, torch.inf), value)
        return torch.where((e == top) & (m > 0), torch.nan, value).float()
    return torch.where((e == top) & (m == full - 1), torch.nan, value).float()
