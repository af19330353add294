"""numpy: all slots of the table, then a slice.

task: paged_cache.slot_mapping
"""

import numpy as np
import torch


def slot_mapping(table, first, count, block_size):
    slots = (np.array(table, dtype=np.int64)[:, None] * block_size + np.arange(block_size)).reshape(-1)
    if first < 0:
        raise ValueError(f"first is {first}")
    if first + count > slots.size:
        raise ValueError(f"position {first + count - 1}: there is room for {slots.size}")
    return torch.from_numpy(slots[first:first + count].copy())
