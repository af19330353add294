"""Throws rejected rows out before the next pass, keeps a root of its own.

task: medusa.generate
"""

import torch


def generate(model, cache, heads, ids, max_new_tokens, tops):
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens is {max_new_tokens}")
    x = tree_pass(model, cache, ids, [i - 1 for i in range(len(ids))])
    row, kept = x[:, -1:], list(range(len(ids)))
    root = int(model.logits(row)[0, 0].argmax())
    new, sizes = [root], []
    while len(new) < max_new_tokens:
        if cache.length() > len(kept):
            cache.keep(torch.tensor(kept))
            kept = list(range(len(kept)))
        tokens, parents = candidate_tree(root, head_logits(model, heads, row)[:, 0], tops)
        x = tree_pass(model, cache, tokens, parents)
        choices = model.logits(x).argmax(-1).flatten()
        path = best_path(tokens, parents, choices)
        root = int(choices[path[-1]])
        new.extend(int(tokens[node]) for node in path[1:])
        new.append(root)
        kept += [cache.length() - len(tokens) + node for node in path]
        row = x[:, path[-1]][:, None]
        sizes.append(len(path))
    return new[:max_new_tokens], sizes
