"""Counts a multiply-add as one FLOP.

task: gpu_timing.matmul_cost
says: forgets-the-factor-two
"""


def matmul_cost(m, k, n, itemsize=2):
    for value in (m, k, n, itemsize):
        if value < 1:
            raise ValueError(f"sizes start at 1, got {value}")
    return m * k * n, (m * k + k * n + m * n) * itemsize
