"""Too large a number becomes infinite, as float16 does it.

task: quantization.round_float
says: overflows-to-infinity
"""

import torch


def round_float(x, exponent_bits, mantissa_bits, largest):
    wide = x.double().clamp(-largest, largest)
    e = (torch.frexp(wide).exponent - 1).clamp(min=2 - 2 ** (exponent_bits - 1))
    steps = torch.exp2(e.double() - mantissa_bits)
    value = ((wide / steps).round() * steps).float()
    return torch.where(x.abs() > largest, x.sign() * torch.inf, value)
