"""Frees a block until its count is zero, whoever else reads it.

task: paged_cache.BlockManager
says: freed-while-read
"""


class BlockManager(BlockManager):  # noqa: F821
    def free(self, name):
        self._check(name, known=True)
        for block in reversed(self._tables.pop(name)):
            while self.allocator.ref_count(block):
                self.allocator.free(block)
        del self._tokens[name]
