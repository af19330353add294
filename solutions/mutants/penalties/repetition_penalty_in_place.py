"""Writes into the logits it was given.

task: penalties.repetition_penalty
says: changes-its-input
"""

import torch


def repetition_penalty(logits, prompt, generated, penalty):
    if not 0 < penalty < float("inf"):
        raise ValueError(f"penalty must be above 0, got {penalty}")
    tokens = torch.cat([prompt, generated], dim=1)
    z = logits.gather(1, tokens)
    return logits.scatter_(1, tokens, torch.where(z > 0, z / penalty, z * penalty))
