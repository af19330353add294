"""Runs the whole text again for every token, with a cache that is thrown away.

task: kv_cache.generate
says: recomputes-everything
"""

import torch


def generate(model, cache, ids, max_new_tokens, real=None):
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens {max_new_tokens}")
    real, start = torch.ones_like(ids) if real is None else real, ids.shape[1]
    for _ in range(max_new_tokens):
        x = forward(model, KVCache(model.n_layers), ids, real)
        ids = torch.cat([ids, model.logits(x[:, -1:])[:, -1].argmax(-1)[:, None]], 1)
        real = torch.cat([real, torch.ones_like(real[:, :1])], 1)
    return ids[:, start:]
