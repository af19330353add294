"""Frees only the blocks that nobody shares, and keeps counting itself in the others.

task: paged_cache.BlockManager
says: never-freed
"""


class BlockManager(BlockManager):  # noqa: F821
    def free(self, name):
        self._check(name, known=True)
        for block in reversed(self._tables.pop(name)):
            if self.allocator.ref_count(block) == 1:
                self.allocator.free(block)
        del self._tokens[name]
