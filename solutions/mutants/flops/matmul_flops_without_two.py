"""Counts multiply-adds (MACs), as many papers on convolutions do.

task: flops.matmul_flops
says: forgets-factor-two
"""


def matmul_flops(m, n, p):
    return m * n * p
