"""Uses the activations' width for the weights too.

task: flops.matmul_intensity
says: ignores-weight-width
"""


def matmul_intensity(rows, inner, columns, bytes_per_value=2, weight_bytes=None):
    weight_bytes = bytes_per_value if weight_bytes is None else weight_bytes
    moved = bytes_per_value * (rows * inner + inner * columns + rows * columns)
    return 2 * rows * inner * columns / moved
