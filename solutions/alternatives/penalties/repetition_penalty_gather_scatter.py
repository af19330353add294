"""Gather, change, scatter, as Hugging Face does; a token seen twice is written twice with the same value.

task: penalties.repetition_penalty
"""

import math

import torch


def repetition_penalty(logits, prompt, generated, penalty):
    if not penalty > 0 or math.isinf(penalty):
        raise ValueError(f"penalty is {penalty}, but it must be a positive number")
    tokens = torch.cat([prompt, generated], dim=-1)
    z = torch.gather(logits, 1, tokens)
    return logits.scatter(1, tokens, torch.where(z < 0, z * penalty, z / penalty))
