"""Who reaches whom: powers of the matrix of parents.

task: medusa.tree_mask
"""

import torch


def tree_mask(parents):
    size = len(parents)
    step = torch.eye(size, dtype=torch.int64)
    for node, parent in enumerate(parents):
        if parent >= 0:
            step[node, parent] = 1
    return torch.linalg.matrix_power(step.double(), size) > 0
