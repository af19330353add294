"""Appends to the cache and attends to the new tokens only.

task: kv_cache.forward
says: mask-hides-past
"""

import torch


def forward(model, cache, ids, real=None, window=None):
    batch, new = ids.shape
    past = cache.length()
    if real is None:
        real = torch.ones(batch, past + new, dtype=torch.int64)
    if real.shape != (batch, past + new):
        raise ValueError(f"real has shape {tuple(real.shape)}")
    x, where = model.embed(ids), positions(real, new)
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where)
        cache.append(layer, k, v)
        x = model.finish(layer, x, attention(q, k, v, attention_mask(real[:, past:], new, window)))
    return x
