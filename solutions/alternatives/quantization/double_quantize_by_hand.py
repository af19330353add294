"""Without symmetric.

task: quantization.double_quantize
"""

import torch


def double_quantize(scales, block):
    offset = scales.double().mean()
    rest = (scales.double() - offset).reshape(-1, block)
    steps = rest.abs().amax(1, keepdim=True) / 127
    codes = torch.round(rest / steps).clamp(-127, 127).to(torch.int8)
    return codes.reshape(-1, 1), steps.float(), offset.float()
