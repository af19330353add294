"""Throws the keys of a sequence away when it is finished.

task: paged_cache.BlockManager
says: forgets-freed-blocks
"""


class BlockManager(BlockManager):  # noqa: F821
    def free(self, name):
        self._check(name, known=True)
        table = self._tables[name]
        super().free(name)
        for block in table:
            if self.allocator.ref_count(block) == 0 and block in self._key_of:
                del self._block_of[self._key_of.pop(block)]
