"""Cuts the mantissa off, as moving bits does.

task: quantization.round_float
says: truncates
"""

import torch


def round_float(x, exponent_bits, mantissa_bits, largest):
    wide = x.double().clamp(-largest, largest)
    e = (torch.frexp(wide).exponent - 1).clamp(min=2 - 2 ** (exponent_bits - 1))
    steps = torch.exp2(e.double() - mantissa_bits)
    return ((wide / steps).trunc() * steps).float()
