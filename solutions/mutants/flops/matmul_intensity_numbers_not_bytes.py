"""Counts the numbers moved.

task: flops.matmul_intensity
says: counts-values-not-bytes
"""


def matmul_intensity(rows, inner, columns, bytes_per_value=2, weight_bytes=None):
    weight_bytes = bytes_per_value if weight_bytes is None else weight_bytes
    return 2 * rows * inner * columns / (rows * inner + inner * columns + rows * columns)
