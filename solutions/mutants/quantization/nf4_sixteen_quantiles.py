"""Sixteen quantiles in a row: symmetric, and without a 0.

task: quantization.nf4_table
says: nf4-without-an-exact-zero
"""

from statistics import NormalDist

import torch


def nf4_table():
    p = 1 - (1 / 30 + 1 / 32) / 2
    values = [NormalDist().inv_cdf(1 - p + (2 * p - 1) * i / 15) for i in range(16)]
    return torch.tensor([value / values[-1] for value in values])
