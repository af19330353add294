"""Tokens per unit of time over one.

task: speculative.speedup
"""

import torch


def speedup(alpha, gamma, cost, verify_cost=1.0):
    tokens = 1 + sum(alpha**i for i in range(1, gamma + 1))
    return torch.tensor(tokens / (verify_cost + cost * gamma), dtype=torch.float64)
