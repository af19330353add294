"""Asks each column for the token that it has just read.

task: calibration.perplexity
says: labels-not-shifted
"""

import torch


def perplexity(logits, ids, real=None):
    real = torch.ones_like(ids) if real is None else real
    cost = -logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]
    return float(cost[real.bool()].mean().exp())
