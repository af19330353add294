"""Averages within each sequence first, then over sequences.

task: calibration.perplexity
says: averaged-per-sequence
"""

import torch


def perplexity(logits, ids, real=None):
    real = torch.ones_like(ids) if real is None else real
    some = (real[:, :-1] * real[:, 1:]).to(logits.dtype)
    cost = -logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    return float(((cost * some).sum(1) / some.sum(1)).mean().exp())
