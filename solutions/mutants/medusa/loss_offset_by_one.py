"""Trains head 0 on the next token, which the model predicts already.

task: medusa.head_loss
says: head-offset-by-one
"""

import torch
import torch.nn.functional as F


def head_loss(logits, ids):
    n, length = logits.shape[:2]
    if length < n + 2:
        raise ValueError(f"{length} tokens are too few: {n} heads look {n + 1} places ahead")
    losses = [F.cross_entropy(logits[k, : length - 1 - k], ids[1 + k:]) for k in range(n)]
    return torch.stack(losses)
