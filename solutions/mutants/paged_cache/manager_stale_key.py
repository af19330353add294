"""Forgets no key when a block is handed out for something else.

task: paged_cache.BlockManager
says: stale-key
"""


class BlockManager(BlockManager):  # noqa: F821
    def _take(self):
        return self.allocator.allocate()
