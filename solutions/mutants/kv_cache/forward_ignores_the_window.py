"""Takes the window and does nothing with it.

task: kv_cache.forward
says: window-ignored
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
    window = None
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where)
        k, v = cache.append(layer, k, v)
        mask = attention_mask(real[:, real.shape[1] - k.shape[2]:], new, window)
        x = model.finish(layer, x, attention(q, k, v, mask))
    return x
