"""Forgets the minimum with 1.

task: speculative.accept_probability
says: not-capped
"""

import torch


def accept_probability(p, q):
    return torch.where(q > 0, p / q, torch.ones_like(p))
