"""Computes in float32 and forgets to go back: the next layer of a bfloat16 model refuses its input.

task: quantization.QuantizedLinear
says: wrong-dtype
"""


class QuantizedLinear(QuantizedLinear):
    def forward(self, x):
        return super().forward(x.float())
