"""Lets a token see a window of others besides itself.

task: kv_cache.attention_mask
says: window-one-too-wide
"""

import torch


def attention_mask(real, new, window=None):
    if window is not None and window < 1:
        raise ValueError(f"window {window}")
    columns = real.shape[1]
    distance = torch.arange(columns - new, columns)[:, None] - torch.arange(columns)
    seen = (distance >= 0) & real.bool()[:, None]
    if window is not None:
        seen = seen & (distance <= window)
    return seen | (distance == 0)
