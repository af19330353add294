"""Takes frexp's exponent as it is.

task: quantization.round_float
says: step-off-by-a-factor-of-two
"""

import torch


def round_float(x, exponent_bits, mantissa_bits, largest):
    wide = x.double().clamp(-largest, largest)
    e = torch.frexp(wide).exponent.clamp(min=2 - 2 ** (exponent_bits - 1))
    steps = torch.exp2(e.double() - mantissa_bits)
    return ((wide / steps).round() * steps).float()
