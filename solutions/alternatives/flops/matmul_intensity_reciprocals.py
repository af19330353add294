"""Bytes per FLOP of each tensor, added, and turned over.

task: flops.matmul_intensity
"""


def matmul_intensity(rows, inner, columns, bytes_per_value=2, weight_bytes=None):
    if weight_bytes is None:
        weight_bytes = bytes_per_value
    return 2 / (bytes_per_value / columns + weight_bytes / rows + bytes_per_value / inner)
