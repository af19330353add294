"""Counts one addition less, as there is nothing to add to the first product.

task: flops.matmul_flops
says: counts-n-minus-one-additions
"""


def matmul_flops(m, n, p):
    return m * p * (2 * n - 1)
