"""Positions without the past.

task: medusa.tree_pass
says: positions-restart-at-zero
"""

import torch
import torch.nn.functional as F


def tree_pass(model, cache, tokens, parents):
    past, tree = cache.length(), tree_mask(parents)
    where = tree.sum(1)[None] - 1  # (1, N)
    mask = torch.cat([torch.ones(len(tokens), past, dtype=torch.bool), tree], 1)  # (N, past + N)
    x = model.embed(tokens[None])
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where)
        k, v = cache.append(layer, k, v)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        x = model.finish(layer, x, attended)
    return x
