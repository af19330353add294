"""Multiplies every seen logit by the penalty, as the lecture says; a positive logit then grows.

task: penalties.repetition_penalty
says: multiplies-positive-logits
"""

import torch


def repetition_penalty(logits, prompt, generated, penalty):
    if not 0 < penalty < float("inf"):
        raise ValueError(f"penalty must be above 0, got {penalty}")
    tokens = torch.cat([prompt, generated], dim=1)
    z = logits.gather(1, tokens)
    return logits.scatter(1, tokens, z * penalty)
