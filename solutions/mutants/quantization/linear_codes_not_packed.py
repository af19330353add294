"""Keeps a whole int8 for each 4-bit code.

task: quantization.QuantizedLinear
says: codes-not-packed
"""


class QuantizedLinear(QuantizedLinear):
    def stored(self):
        kept = super().stored()
        return kept | {"packed": unpack_int4(kept["packed"], 2 * kept["packed"].shape[1])}
