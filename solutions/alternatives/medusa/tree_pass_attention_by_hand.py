"""Repeats the shared heads and writes the softmax out; positions by walking up.

task: medusa.tree_pass
"""

import math

import torch


def tree_pass(model, cache, tokens, parents):
    past, depth = cache.length(), []
    for parent in parents:
        depth.append(0 if parent < 0 else depth[parent] + 1)
    where = torch.tensor([[past + d for d in depth]])
    x = model.embed(tokens.reshape(1, -1))
    hidden = torch.zeros(len(parents), past + len(parents))
    hidden[:, past:] = (~tree_mask(parents)).float() * -1e30
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where)
        k, v = cache.append(layer, k, v)
        share = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(share, 1), v.repeat_interleave(share, 1)
        weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]) + hidden, -1)
        x = model.finish(layer, x, weights @ v)
    return x
