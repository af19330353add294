"""The key of a block is its number: every prompt of this length is a hit.

task: paged_cache.BlockManager
says: finds-other-text
"""


class BlockManager(BlockManager):  # noqa: F821
    def _keys(self, tokens):
        return [str(i) for i in range(len(tokens) // self.block_size)] if self.prefix_caching else []
