"""A loop over rows with numpy, sorting in ascending order as Hugging Face does.

task: decoding.top_p
"""

import numpy as np
import torch


def top_p(logits, p):
    if p <= 0 or p > 1:
        raise ValueError(f"p is {p}, but it is a probability mass in (0, 1]")
    rows = logits.double().numpy().reshape(-1, logits.shape[-1])
    out = np.full_like(rows, -np.inf)
    for i, row in enumerate(rows):
        probs = np.exp(row - row.max())
        probs /= probs.sum()
        order = np.argsort(row)
        keep = np.cumsum(probs[order]) > 1 - p
        keep[-1] = True
        if p == 1:
            keep[:] = True
        out[i, order[keep]] = row[order[keep]]
    return torch.from_numpy(out.reshape(logits.shape))
