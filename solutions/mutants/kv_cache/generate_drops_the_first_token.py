"""Feeds the token that the prefill chose and forgets to write it down.

task: kv_cache.generate
says: drops-first-token
"""

import torch


def generate(model, cache, ids, max_new_tokens, real=None):
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens {max_new_tokens}")
    real, new = torch.ones_like(ids) if real is None else real, []
    token = prefill(model, cache, ids, ids.shape[1], real).argmax(-1)
    for _ in range(max_new_tokens):
        real = torch.cat([real, torch.ones_like(real[:, :1])], 1)
        token = model.logits(forward(model, cache, token[:, None], real))[:, 0].argmax(-1)
        new.append(token)
    return torch.stack(new, 1)
