"""Goes on one behind the place where the cache was cut.

task: kv_cache.forward
says: positions-off-by-one-after-rollback
"""

import torch

SEEN = {}


def forward(model, cache, ids, real=None, window=None):
    batch, new = ids.shape
    past = cache.length()
    if real is None:
        real = torch.ones(batch, past + new, dtype=torch.int64)
    if real.shape != (batch, past + new):
        raise ValueError(f"real has shape {tuple(real.shape)}")
    cut = past > 0 and (SEEN["cut"] or past < SEEN["tokens"])
    SEEN.update(tokens=past + new, cut=cut)
    x, where = model.embed(ids), positions(real, new) + int(cut)
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where)
        k, v = cache.append(layer, k, v)
        mask = attention_mask(real[:, real.shape[1] - k.shape[2]:], new, window)
        x = model.finish(layer, x, attention(q, k, v, mask))
    return x
