"""With a mask of what stays.

task: compression.prune_channels
"""

import torch


def prune_channels(weights, keep):
    size = len(weights["gate_proj"])
    if min(keep) < 0 or max(keep) >= size:
        raise ValueError(f"keep {keep} does not fit {size} channels")
    stays = torch.zeros(size, dtype=torch.bool)
    stays[list(keep)] = True
    out = {name: weight.clone() for name, weight in weights.items()}
    for name in ("gate_proj", "up_proj"):
        out[name] = weights[name][stays]
    out["down_proj"] = weights["down_proj"].T[stays].T
    return out
