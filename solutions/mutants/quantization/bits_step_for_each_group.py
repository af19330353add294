"""Counts a float32 step for each scale.

task: quantization.bits_per_weight
says: step-for-each-group
"""


def bits_per_weight(bits, group, scale_bits, zero_bits=0, block=0):
    return bits + (scale_bits + zero_bits + (32 if block else 0)) / group
