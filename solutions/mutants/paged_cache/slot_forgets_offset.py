"""Slot = block * size, wherever in the block the token is.

task: paged_cache.slot_mapping
says: forgets-offset
"""

import torch


def slot_mapping(table, first, count, block_size):
    if first < 0 or first + count > len(table) * block_size:
        raise ValueError(f"positions {first} to {first + count - 1} of {len(table) * block_size}")
    return torch.tensor([table[i // block_size] * block_size for i in range(first, first + count)],
                        dtype=torch.int64)
