"""Adds up the tables.

task: paged_cache.usage
says: counts-shared-twice
"""


def usage(tables, lengths, block_size):
    slots = sum(map(len, tables)) * block_size
    return {"tokens": sum(lengths), "allocated": slots, "filled": sum(lengths), "wasted": slots - sum(lengths)}
