"""Position i goes to slot i.

task: paged_cache.slot_mapping
says: ignores-table
"""

import torch


def slot_mapping(table, first, count, block_size):
    if first < 0 or first + count > len(table) * block_size:
        raise ValueError(f"positions {first} to {first + count - 1} of {len(table) * block_size}")
    return torch.arange(first, first + count)
