"""The triangle starts in the upper left corner, as is_causal=True does in torch for fewer queries than keys.

task: kv_cache.attention_mask
says: mask-from-query-length
"""

import torch


def attention_mask(real, new, window=None):
    if window is not None and window < 1:
        raise ValueError(f"window {window}")
    columns = real.shape[1]
    seen = torch.tril(torch.ones(new, columns, dtype=torch.bool))
    if window is not None:
        seen = torch.triu(seen, 1 - window)
    own = torch.eye(columns, dtype=torch.bool)[:new]
    return seen & real.bool()[:, None] | own
