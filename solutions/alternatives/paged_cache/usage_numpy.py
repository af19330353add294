"""A matrix of slots that are marked.

task: paged_cache.usage
"""

import numpy as np


def usage(tables, lengths, block_size):
    last = max([block for table in tables for block in table], default=-1)
    marked, taken = np.zeros((last + 1, block_size), bool), np.zeros(last + 1, bool)
    for table, length in zip(tables, lengths):
        taken[table] = True
        for position in range(length):
            marked[table[position // block_size], position % block_size] = True
    allocated, filled = taken.sum() * block_size, marked.sum()
    return {"tokens": sum(lengths), "allocated": int(allocated), "filled": int(filled),
            "wasted": int(allocated - filled)}
