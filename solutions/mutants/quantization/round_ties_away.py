"""Rounds by adding half a step and cutting off.

task: quantization.round_float
says: ties-not-to-even
"""

import torch


def round_float(x, exponent_bits, mantissa_bits, largest):
    wide = x.double().clamp(-largest, largest)
    e = (torch.frexp(wide).exponent - 1).clamp(min=2 - 2 ** (exponent_bits - 1))
    steps = torch.exp2(e.double() - mantissa_bits)
    return ((wide / steps + 0.5 * wide.sign()).trunc() * steps).float()
