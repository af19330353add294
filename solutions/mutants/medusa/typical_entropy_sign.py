"""exp(H): asks for more where the target is unsure.

task: medusa.typical_acceptance
says: entropy-sign
"""

import torch


def typical_acceptance(p, epsilon, delta):
    entropy = torch.special.entr(p).sum()
    return p > torch.clamp(delta * torch.exp(entropy), max=epsilon)
