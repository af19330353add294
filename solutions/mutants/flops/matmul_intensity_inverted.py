"""Bytes per FLOP.

task: flops.matmul_intensity
says: intensity-inverted
"""


def matmul_intensity(rows, inner, columns, bytes_per_value=2, weight_bytes=None):
    weight_bytes = bytes_per_value if weight_bytes is None else weight_bytes
    moved = bytes_per_value * rows * (inner + columns) + weight_bytes * inner * columns
    return moved / (2 * rows * inner * columns)
