"""Takes the smallest scale off: half of the codes are never used.

task: quantization.double_quantize
says: offset-is-the-smallest
"""


def double_quantize(scales, block):
    offset = scales.min()
    codes, steps = symmetric((scales - offset).reshape(1, -1), 8, block)
    return codes.reshape(-1, 1), steps, offset
