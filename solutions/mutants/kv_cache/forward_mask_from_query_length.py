"""Lets torch make the mask: is_causal=True starts the triangle in the upper left corner.

task: kv_cache.forward
says: mask-from-query-length
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
        k, v = cache.append(layer, k, v)
        seen = torch.tril(torch.ones(new, k.shape[2], dtype=torch.bool))
        mask = seen & real[:, real.shape[1] - k.shape[2]:].bool()[:, None] | torch.eye(new, k.shape[2], dtype=torch.bool)
        x = model.finish(layer, x, attention(q, k, v, mask))
    return x
