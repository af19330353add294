"""Returns the mean, and never takes it off.

task: quantization.double_quantize
says: offset-forgotten
"""


def double_quantize(scales, block):
    codes, steps = symmetric(scales.reshape(1, -1), 8, block)
    return codes.reshape(-1, 1), steps, scales.mean()
