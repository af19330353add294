"""Repeats the key-value heads before they go into the cache: right, and H / K times the memory.

task: kv_cache.forward
says: caches-repeated-heads
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
    share = model.n_heads // model.n_kv_heads
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where)
        k, v = cache.append(layer, k.repeat_interleave(share, 1), v.repeat_interleave(share, 1))
        mask = attention_mask(real[:, real.shape[1] - k.shape[2]:], new, window)
        x = model.finish(layer, x, attention(q, k, v, mask))
    return x
