"""Four bits are four bits.

task: quantization.bits_per_weight
says: bits-without-scales
"""


def bits_per_weight(bits, group, scale_bits, zero_bits=0, block=0):
    return bits
