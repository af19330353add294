"""Looks at what was generated only, as the two penalties of OpenAI do.

task: penalties.repetition_penalty
says: repetition-ignores-prompt
"""

import torch


def repetition_penalty(logits, prompt, generated, penalty):
    if not 0 < penalty < float("inf"):
        raise ValueError(f"penalty must be above 0, got {penalty}")
    z = logits.gather(1, generated)
    return logits.scatter(1, generated, torch.where(z > 0, z / penalty, z * penalty))
