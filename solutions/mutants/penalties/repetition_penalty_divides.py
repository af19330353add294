"""Divides every seen logit, also the negative ones (transformers issue 2302).

task: penalties.repetition_penalty
says: divides-negative-logits
"""

import torch


def repetition_penalty(logits, prompt, generated, penalty):
    if not 0 < penalty < float("inf"):
        raise ValueError(f"penalty must be above 0, got {penalty}")
    tokens = torch.cat([prompt, generated], dim=1)
    z = logits.gather(1, tokens)
    return logits.scatter(1, tokens, z / penalty)
