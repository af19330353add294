"""Counts the bits of many weights and divides.

task: quantization.bits_per_weight
"""

def bits_per_weight(bits, group, scale_bits, zero_bits=0, block=0):
    groups = block or 1
    total = groups * (group * bits + scale_bits + zero_bits) + (32 if block else 0)
    return total / (groups * group)
