"""A loop over positions with divmod; int32.

task: paged_cache.slot_mapping
"""

import torch


def slot_mapping(table, first, count, block_size):
    found = []
    for position in range(first, first + count):
        block, offset = divmod(position, block_size)
        if position < 0 or block >= len(table):
            raise ValueError(f"no block for position {first + count - 1 if position >= 0 else position}")
        found.append(table[block] * block_size + offset)
    return torch.tensor(found, dtype=torch.int32)
