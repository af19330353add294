"""Copies a shared last block even if it is full.

task: paged_cache.BlockManager
says: copies-full-block
"""


class BlockManager(BlockManager):  # noqa: F821
    def append(self, name, token):
        self._check(name, known=True)
        table = self._tables[name]
        if len(self._tokens[name]) % self.block_size or self.allocator.ref_count(table[-1]) == 1:
            return super().append(name, token)
        source, table[-1] = table[-1], self._take()
        self.allocator.free(source)
        copy = source, table[-1]
        super().append(name, token)
        return copy
