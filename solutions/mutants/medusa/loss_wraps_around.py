"""Shifts the text with roll, so that the last positions get the first tokens.

task: medusa.head_loss
says: targets-wrap-around
"""

import torch
import torch.nn.functional as F


def head_loss(logits, ids):
    n, length = logits.shape[:2]
    if length < n + 2:
        raise ValueError(f"{length} tokens are too few: {n} heads look {n + 1} places ahead")
    losses = [F.cross_entropy(logits[k], ids.roll(-2 - k)) for k in range(n)]
    return torch.stack(losses)
