"""Normalises first, so that every logit is negative and only ever multiplied (transformers issue 47595).

task: penalties.repetition_penalty
says: penalises-log-probs
"""

import torch


def repetition_penalty(logits, prompt, generated, penalty):
    if not 0 < penalty < float("inf"):
        raise ValueError(f"penalty must be above 0, got {penalty}")
    logits = logits.log_softmax(dim=-1)
    tokens = torch.cat([prompt, generated], dim=1)
    z = logits.gather(1, tokens)
    return logits.scatter(1, tokens, torch.where(z > 0, z / penalty, z * penalty))
