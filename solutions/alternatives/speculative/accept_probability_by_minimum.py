"""min(p, q) / q, with a q that is never 0.

task: speculative.accept_probability
"""

import torch


def accept_probability(p, q):
    return torch.minimum(p, q).div(q.where(q > 0, 1)).masked_fill(q == 0, 1)
