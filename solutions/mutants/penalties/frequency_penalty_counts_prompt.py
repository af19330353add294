"""Counts over the whole text.

task: penalties.frequency_penalty
says: frequency-counts-prompt
"""

import math

import torch


def frequency_penalty(logits, prompt, generated, penalty):
    if not math.isfinite(penalty):
        raise ValueError(f"penalty must be finite, got {penalty}")
    text = torch.cat([prompt, generated], dim=1)
    return logits.scatter_add(1, text, torch.full(text.shape, -penalty, dtype=logits.dtype))
