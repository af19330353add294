"""Counts for each number of the result.

task: flops.matmul_flops
"""


def matmul_flops(m, n, p):
    return sum(2 * n for _ in range(m) for _ in range(p))
