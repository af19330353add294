"""Punishes tokens of the prompt as well.

task: penalties.presence_penalty
says: presence-counts-prompt
"""

import math

import torch


def presence_penalty(logits, prompt, generated, penalty):
    if not math.isfinite(penalty):
        raise ValueError(f"penalty must be finite, got {penalty}")
    seen = torch.zeros_like(logits).scatter(1, torch.cat([prompt, generated], dim=1), 1.0)
    return logits - penalty * seen
