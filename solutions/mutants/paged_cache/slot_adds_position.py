"""Adds the position in the text instead of the one in the block.

task: paged_cache.slot_mapping
says: adds-position
"""

import torch


def slot_mapping(table, first, count, block_size):
    if first < 0 or first + count > len(table) * block_size:
        raise ValueError(f"positions {first} to {first + count - 1} of {len(table) * block_size}")
    return torch.tensor([table[i // block_size] * block_size + i for i in range(first, first + count)],
                        dtype=torch.int64)
