"""Keeps the scales in float32.

task: quantization.QuantizedLinear
says: scales-in-float32
"""


class QuantizedLinear(QuantizedLinear):
    def stored(self):
        kept = super().stored()
        return kept | {"scales": kept["scales"].float()}
