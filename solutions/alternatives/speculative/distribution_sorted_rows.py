"""Row by row, with a sort and exponentials by hand, in float64.

task: speculative.distribution
"""

import torch


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    if temperature < 0:
        raise ValueError(f"temperature must not be negative: {temperature}")
    if top_k < 0:
        raise ValueError(f"top_k must not be negative: {top_k}")
    if not 0 < top_p <= 1 or not 0 <= min_p <= 1:
        raise ValueError(f"top_p lies in (0, 1], min_p in [0, 1]: {top_p}, {min_p}")
    rows = logits.double().reshape(-1, logits.shape[-1]).clone()
    out = torch.zeros_like(rows)
    for row, probs in zip(rows, out):
        if temperature == 0:
            probs[int(row.argmax())] = 1
            continue
        if top_k:
            least = row.sort(descending=True).values[min(top_k, len(row)) - 1]
            row[row < least] = -torch.inf
        weights = ((row - row.max()) / temperature).exp()
        weights /= weights.sum()
        mass = weights.tolist()
        weights[weights < min_p * weights.max()] = 0
        total = 0.0
        for at in weights.argsort(descending=True).tolist():
            if total >= top_p and top_p < 1:
                weights[at] = 0
            total += mass[at]
        probs.copy_(weights / weights.sum())
    return out.reshape(logits.shape).to(logits.dtype)
