"""Makes the square mask of all columns and keeps the last rows, in plain Python.

task: kv_cache.attention_mask
"""

import torch


def attention_mask(real, new, window=None):
    if window is not None and window < 1:
        raise ValueError(f"{window = }")
    size = real.shape[1]
    whole = [[[i == j or (j < i and bool(row[j]) and (window is None or i < j + window)) for j in range(size)]
              for i in range(size)] for row in real.tolist()]
    return torch.tensor(whole)[:, -new:]
