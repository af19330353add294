"""Frees a table from its first block to its last.

task: paged_cache.BlockManager
says: frees-head-first
"""


class BlockManager(BlockManager):  # noqa: F821
    def free(self, name):
        self._check(name, known=True)
        for block in self._tables.pop(name):
            self.allocator.free(block)
        del self._tokens[name]
