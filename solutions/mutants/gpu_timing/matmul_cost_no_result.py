"""Counts what is read, not what is written.

task: gpu_timing.matmul_cost
says: forgets-the-result
"""


def matmul_cost(m, k, n, itemsize=2):
    for value in (m, k, n, itemsize):
        if value < 1:
            raise ValueError(f"sizes start at 1, got {value}")
    return 2 * m * k * n, (m * k + k * n) * itemsize
