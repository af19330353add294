"""Hides padding from itself, so that its softmax has nothing.

task: kv_cache.attention_mask
says: mask-empty-rows
"""

import torch


def attention_mask(real, new, window=None):
    if window is not None and window < 1:
        raise ValueError(f"window {window}")
    columns = real.shape[1]
    distance = torch.arange(columns - new, columns)[:, None] - torch.arange(columns)
    return (distance >= 0) & (distance < (window or columns)) & real.bool()[:, None]
