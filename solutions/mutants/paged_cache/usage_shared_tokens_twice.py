"""Counts blocks once, and the tokens in them as often as they are read.

task: paged_cache.usage
says: counts-shared-tokens-twice
"""


def usage(tables, lengths, block_size):
    slots = len({block for table in tables for block in table}) * block_size
    return {"tokens": sum(lengths), "allocated": slots, "filled": sum(lengths), "wasted": slots - sum(lengths)}
