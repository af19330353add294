"""Takes one scale for each row, the first.

task: quantization.dequantize
says: first-scale-of-the-row
"""


def dequantize(codes, scales, zeros=None):
    per = len(scales) // codes.shape[0]
    first = scales.reshape(codes.shape[0], per)[:, :1]
    if zeros is None:
        return codes.float() * first
    rows = codes.float().reshape(len(scales), -1) - zeros.float()
    return (rows * scales).reshape(codes.shape)
