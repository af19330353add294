"""Divides p - q by its sum without clipping the negative part.

task: speculative.residual
says: residual-not-clipped
"""

import torch


def residual(p, q):
    left = p - q
    total = left.sum(-1, keepdim=True)
    return left / torch.where(total != 0, total, torch.ones_like(total))
