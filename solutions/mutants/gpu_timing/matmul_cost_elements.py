"""Forgets that an element has bytes.

task: gpu_timing.matmul_cost
says: elements-for-bytes
"""


def matmul_cost(m, k, n, itemsize=2):
    for value in (m, k, n, itemsize):
        if value < 1:
            raise ValueError(f"sizes start at 1, got {value}")
    return 2 * m * k * n, m * k + k * n + m * n
