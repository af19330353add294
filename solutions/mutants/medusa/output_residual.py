"""Mixes the rule with that of exact speculative sampling.

task: medusa.typical_output
says: draws-from-the-residual
"""

import torch


def typical_output(p, q, epsilon, delta):
    stays = torch.where(typical_acceptance(p, epsilon, delta), q, 0.0)
    left = (p - q).clamp(min=0)
    return stays + (1 - stays.sum()) * left / left.sum()
