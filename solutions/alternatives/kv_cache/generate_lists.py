"""Lists of Python numbers, and the prompt token by token.

task: kv_cache.generate
"""

import torch


def generate(model, cache, ids, max_new_tokens, real=None):
    if max_new_tokens <= 0:
        raise ValueError(f"{max_new_tokens} tokens")
    real = torch.ones_like(ids) if real is None else real.clone()
    for i in range(ids.shape[1]):
        x = forward(model, cache, ids[:, i:i + 1], real[:, :i + 1])
    rows = [[] for _ in ids]
    for step in range(max_new_tokens):
        best = model.logits(x)[:, -1].topk(1).indices
        for row, token in zip(rows, best.tolist()):
            row += token
        if step + 1 < max_new_tokens:
            real = torch.nn.functional.pad(real, (0, 1), value=1)
            x = forward(model, cache, best, real)
    return rows
