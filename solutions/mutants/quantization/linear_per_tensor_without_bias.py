"""What public tests of int8 linear layers let pass: one scale for the matrix, and no bias.

task: quantization.QuantizedLinear
says: bias-dropped
"""

import torch


class QuantizedLinear:
    def __init__(self, weight, bias=None, group=32):
        if weight.shape[1] % group:
            raise ValueError(f"groups of {group}")
        self.scale = weight.abs().max() / 7
        self.codes = (weight / self.scale).round().clamp(-7, 7).to(torch.int8)
        self.scale = self.scale.half()

    def stored(self):
        return {"packed": self.codes, "scales": self.scale}

    def forward(self, x):
        return x @ (self.codes.to(x.dtype) * self.scale.to(x.dtype)).T
