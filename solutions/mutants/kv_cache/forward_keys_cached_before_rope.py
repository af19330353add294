"""Caches keys turned by position 0 and turns only the queries.

task: kv_cache.forward
says: keys-not-rotated
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
        q = model.qkv(layer, x, where)[0]
        _, k, v = model.qkv(layer, x, torch.zeros_like(where))
        k, v = cache.append(layer, k, v)
        mask = attention_mask(real[:, real.shape[1] - k.shape[2]:], new, window)
        x = model.finish(layer, x, attention(q, k, v, mask))
    return x
