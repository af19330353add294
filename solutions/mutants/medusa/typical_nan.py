"""0 * log 0.

task: medusa.typical_acceptance
says: entropy-is-nan
"""

import torch


def typical_acceptance(p, epsilon, delta):
    entropy = -(p * p.log()).sum()
    return p > torch.clamp(delta * torch.exp(-entropy), max=epsilon)
