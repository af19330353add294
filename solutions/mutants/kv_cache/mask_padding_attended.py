"""Knows the future, not the padding.

task: kv_cache.attention_mask
says: mask-padding-attended
"""

import torch


def attention_mask(real, new, window=None):
    if window is not None and window < 1:
        raise ValueError(f"window {window}")
    batch, columns = real.shape
    distance = torch.arange(columns - new, columns)[:, None] - torch.arange(columns)
    seen = distance >= 0
    if window is not None:
        seen &= distance < window
    return seen.expand(batch, new, columns)
