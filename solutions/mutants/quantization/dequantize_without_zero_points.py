"""Multiplies by the scale and is done.

task: quantization.dequantize
says: ignores-zero-points
"""


def dequantize(codes, scales, zeros=None):
    return (codes.float().reshape(len(scales), -1) * scales).reshape(codes.shape)
