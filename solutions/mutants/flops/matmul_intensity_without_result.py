"""Nothing is written.

task: flops.matmul_intensity
says: forgets-result
"""


def matmul_intensity(rows, inner, columns, bytes_per_value=2, weight_bytes=None):
    weight_bytes = bytes_per_value if weight_bytes is None else weight_bytes
    moved = bytes_per_value * rows * inner + weight_bytes * inner * columns
    return 2 * rows * inner * columns / moved
