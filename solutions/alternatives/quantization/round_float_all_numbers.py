"""Lists all positive numbers and looks for the nearest.

task: quantization.round_float
"""

import torch


def round_float(x, exponent_bits, mantissa_bits, largest):
    codes = torch.arange(2 ** (exponent_bits + mantissa_bits))
    m, e = codes % 2**mantissa_bits, codes // 2**mantissa_bits
    bias = 2 ** (exponent_bits - 1) - 1
    values = (m / 2**mantissa_bits + (e > 0)).double() * 2.0 ** (e.clamp(min=1) - bias).double()
    values = values[values <= largest]
    size = x.abs().double().clamp(max=largest)
    gaps = (size[..., None] - values).abs()
    near = gaps == gaps.amin(-1, keepdim=True)
    even = near & (codes[: len(values)] % 2 == 0)
    pick = torch.where(even.any(-1, keepdim=True), even, near).int().argmax(-1)
    return torch.where(x.isnan(), x, torch.copysign(values[pick].float(), x))
