"""Repeats scale and zero point for every number.

task: quantization.dequantize
"""

def dequantize(codes, scales, zeros=None):
    each = codes.numel() // scales.numel()
    steps = scales.flatten().repeat_interleave(each).reshape(codes.shape)
    if zeros is None:
        return codes * steps
    return (codes.int() - zeros.flatten().int().repeat_interleave(each).reshape(codes.shape)) * steps
