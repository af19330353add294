"""p and q swapped.

task: speculative.accept_probability
says: ratio-upside-down
"""

import torch


def accept_probability(p, q):
    return torch.where(p > 0, (q / p).clamp(max=1), torch.ones_like(p))
