"""Counts the bytes of the weight matrix alone.

task: gpu_timing.matmul_cost
says: one-operand-only
"""


def matmul_cost(m, k, n, itemsize=2):
    for value in (m, k, n, itemsize):
        if value < 1:
            raise ValueError(f"sizes start at 1, got {value}")
    return 2 * m * k * n, k * n * itemsize
