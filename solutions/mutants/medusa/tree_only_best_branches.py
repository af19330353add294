"""Gives children to the best node of each depth only.

task: medusa.candidate_tree
says: only-the-best-branches
"""

import torch


def candidate_tree(first, logits, tops):
    if len(tops) > len(logits):
        raise ValueError(f"{len(tops)} tops for {len(logits)} heads: give at most one each")
    tokens, parents, depth = [first], [-1], [0]
    for row, top in zip(logits, tops):
        if top < 1:
            raise ValueError(f"a head gives at least 1 candidate, got {top}")
        best, start = row.topk(top).indices.tolist(), len(tokens)
        parents += depth[:1] * top
        tokens += best
        depth = list(range(start, len(tokens)))
    return torch.tensor(tokens), parents
