"""Assigns with an index, so that a repeated token is written once.

task: penalties.frequency_penalty
says: frequency-once
"""

import math

import torch


def frequency_penalty(logits, prompt, generated, penalty):
    if not math.isfinite(penalty):
        raise ValueError(f"penalty must be finite, got {penalty}")
    out = logits.clone()
    rows = torch.arange(len(out)).unsqueeze(1)
    out[rows, generated] -= penalty
    return out
