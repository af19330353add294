"""max instead of min.

task: medusa.typical_acceptance
says: larger-threshold
"""

import torch


def typical_acceptance(p, epsilon, delta):
    entropy = torch.special.entr(p).sum()
    return p > torch.clamp(delta * torch.exp(-entropy), min=epsilon)
