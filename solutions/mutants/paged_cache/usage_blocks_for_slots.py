"""Gives blocks where slots are asked for.

task: paged_cache.usage
says: counts-blocks
"""


def usage(tables, lengths, block_size):
    blocks = {block for table in tables for block in table}
    filled = {block: min(block_size, n - i * block_size) for table, n in zip(tables, lengths) for i,
              block in enumerate(table)}
    return {"tokens": sum(lengths), "allocated": len(blocks), "filled": sum(filled.values()),
            "wasted": len(blocks) * block_size - sum(filled.values())}
