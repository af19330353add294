"""Leaves the residual out: an untrained head then knows nothing.

task: medusa.head_logits
says: residual-missing
"""

import torch
import torch.nn.functional as F


def head_logits(model, heads, x):
    return torch.cat([model.logits(F.silu(x @ weight.T)) for weight in heads])
