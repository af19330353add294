"""Begins the tree with head 1.

task: medusa.candidate_tree
says: head-offset-by-one
"""

import torch


def candidate_tree(first, logits, tops):
    if len(tops) > len(logits):
        raise ValueError(f"{len(tops)} tops for {len(logits)} heads: give at most one each")
    tokens, parents, depth = [first], [-1], [0]
    for row, top in zip(logits[1:], tops):
        if top < 1:
            raise ValueError(f"a head gives at least 1 candidate, got {top}")
        best, start = row.topk(top).indices.tolist(), len(tokens)
        parents += [node for node in depth for _ in best]
        tokens += best * len(depth)
        depth = list(range(start, len(tokens)))
    return torch.tensor(tokens), parents
