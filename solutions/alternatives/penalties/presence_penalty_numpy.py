"""numpy, float64, sets of tokens row by row.

task: penalties.presence_penalty
"""

import numpy as np
import torch


def presence_penalty(logits, prompt, generated, penalty):
    if not np.isfinite(penalty):
        raise ValueError(f"penalty {penalty}")
    out = logits.double().numpy().copy()
    for row, tokens in zip(out, generated.tolist()):
        for token in set(tokens):
            row[token] -= penalty
    return torch.from_numpy(out)
