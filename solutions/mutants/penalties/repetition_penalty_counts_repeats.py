"""A loop over the tokens of the text: a token that occurs three times is punished three times.

task: penalties.repetition_penalty
says: counts-repeats
"""

import torch


def repetition_penalty(logits, prompt, generated, penalty):
    if not 0 < penalty < float("inf"):
        raise ValueError(f"penalty must be above 0, got {penalty}")
    out = logits.clone()
    for row, text in enumerate(torch.cat([prompt, generated], dim=1).tolist()):
        for token in text:
            z = out[row, token]
            out[row, token] = z / penalty if z > 0 else z * penalty
    return out
