"""Steps become smaller without end.

task: quantization.round_float
says: no-subnormal-numbers
"""

import torch


def round_float(x, exponent_bits, mantissa_bits, largest):
    wide = x.double().clamp(-largest, largest)
    e = (torch.frexp(wide).exponent - 1)
    steps = torch.exp2(e.double() - mantissa_bits)
    return ((wide / steps).round() * steps).float()
