"""Positions by column, padding counted: rotary positions only know distances, so the result is the same.

task: kv_cache.forward
"""

import torch


def forward(model, cache, ids, real=None, window=None):
    past, (batch, new) = cache.length(), ids.shape
    if real is None:
        real = torch.ones(batch, past + new)
    elif real.shape != (batch, past + new):
        raise ValueError(f"real has shape {real.shape}")
    where = torch.arange(past, past + new).repeat(batch, 1)
    x = model.embed(ids)
    for layer in range(model.n_layers):
        q, *pair = model.qkv(layer, x, where)
        keys, values = cache.append(layer, *pair)
        mask = attention_mask(real[:, -keys.shape[2]:], new, window)
        x = model.finish(layer=layer, x=x, attended=attention(q, keys, values, mask))
    return x
