"""Takes the zero point off in uint8.

task: quantization.dequantize
says: subtracts-in-uint8
"""


def dequantize(codes, scales, zeros=None):
    rows = codes.reshape(scales.shape[0], -1)
    rows = rows if zeros is None else rows - zeros
    return (rows.float() * scales).reshape(codes.shape)
