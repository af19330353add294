"""The causal triangle: every node sees all before it.

task: medusa.tree_mask
says: siblings-attend
"""

import torch


def tree_mask(parents):
    return torch.ones(len(parents), len(parents), dtype=torch.bool).tril()
