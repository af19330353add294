"""torch's cast after cutting, or the nearest of all numbers.

task: quantization.round_float
"""

import torch


def round_float(x, exponent_bits, mantissa_bits, largest):
    kind = {(4, 3): torch.float8_e4m3fn, (5, 2): torch.float8_e5m2}[exponent_bits, mantissa_bits]
    return x.clamp(-largest, largest).to(kind).float()
