"""Group by group.

task: compression.group_importance
"""

import torch


def group_importance(attended, n_kv_heads):
    share = attended.shape[1] // n_kv_heads
    return torch.stack([attended[:, k * share : (k + 1) * share].abs().mean() for k in range(n_kv_heads)])
