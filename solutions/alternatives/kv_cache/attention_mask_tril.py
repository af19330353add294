"""The triangle with its diagonal moved by the past; the window is a second triangle.

task: kv_cache.attention_mask
"""

import torch


def attention_mask(real, new, window=None):
    if window is not None and not window >= 1:
        raise ValueError(f"a window of {window} shows nothing")
    columns = real.shape[1]
    past = columns - new
    band = torch.ones(new, columns, dtype=torch.bool).tril(past)
    if window is not None:
        band = band.triu(past - window + 1)
    seen = torch.logical_and(band[None], real[:, None, :] > 0)
    seen.diagonal(past, 1, 2).fill_(True)
    return seen
