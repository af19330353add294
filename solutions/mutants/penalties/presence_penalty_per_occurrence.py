"""Takes the constant off each time the token appears: the lecture's wording.

task: penalties.presence_penalty
says: presence-per-occurrence
"""

import math

import torch


def presence_penalty(logits, prompt, generated, penalty):
    if not math.isfinite(penalty):
        raise ValueError(f"penalty must be finite, got {penalty}")
    cost = torch.full(generated.shape, -penalty, dtype=logits.dtype)
    return logits.scatter_add(1, generated, cost)
