"""Log-probabilities picked with gather.

task: medusa.head_loss
"""

import torch


def head_loss(logits, ids):
    n, length = logits.shape[:2]
    if length < n + 2:
        raise ValueError(f"T = {length} is too short for {n} heads")
    out = []
    for k in range(n):
        rows = logits[k, : length - k - 2].double().log_softmax(-1)
        out.append(-rows.gather(1, ids[k + 2 :, None]).mean().float())
    return torch.stack(out)
