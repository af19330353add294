"""A module that multiplies with codes and scales the sums of each group; no float weight is ever made.

task: quantization.QuantizedLinear
"""

import torch


class QuantizedLinear(torch.nn.Module):
    def __init__(self, weight, bias=None, group=32):
        super().__init__()
        codes, scales = symmetric(weight, 4, group)
        self.group, self.columns = group, weight.shape[1]
        self.register_buffer("packed", pack_int4(codes))
        self.register_buffer("scales", scales.to(torch.float16).view(weight.shape[0], -1))
        self.register_buffer("bias", bias)

    def stored(self):
        return {name: value for name, value in self.state_dict().items()}

    def forward(self, x):
        codes = unpack_int4(self.packed, self.columns).to(x.dtype).unflatten(1, (-1, self.group))
        sums = torch.einsum("...gi,ogi->...og", x.unflatten(-1, (-1, self.group)), codes)
        out = (sums * self.scales.to(x.dtype)).sum(-1)
        return out if self.bias is None else out + self.bias
