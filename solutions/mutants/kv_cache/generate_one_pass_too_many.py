"""Feeds the last token as well, and throws its logits away.

task: kv_cache.generate
says: one-pass-too-many
"""

import torch


def generate(model, cache, ids, max_new_tokens, real=None):
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens {max_new_tokens}")
    real, new = torch.ones_like(ids) if real is None else real, []
    x = forward(model, cache, ids, real)
    for _ in range(max_new_tokens):
        new.append(model.logits(x[:, -1:])[:, 0].argmax(-1))
        real = torch.cat([real, torch.ones_like(real[:, :1])], 1)
        x = forward(model, cache, new[-1][:, None], real)
    return torch.stack(new, 1)
