"""Node by node with a queue, sorting in numpy.

task: medusa.candidate_tree
"""

from collections import deque

import numpy as np
import torch


def candidate_tree(first, logits, tops):
    if len(tops) > len(logits):
        raise ValueError(f"there are {len(logits)} heads, got {len(tops)} tops")
    if min(tops, default=1) < 1:
        raise ValueError(f"a top must be 1 or more, got {min(tops)}")
    order = np.argsort(-logits.numpy(), axis=1)
    tokens, parents, waiting = [first], [-1], deque([(0, 0)])
    while waiting:
        node, depth = waiting.popleft()
        if depth < len(tops):
            for token in order[depth, : tops[depth]]:
                parents.append(node)
                waiting.append((len(tokens), depth + 1))
                tokens.append(int(token))
    return torch.tensor(tokens), parents
