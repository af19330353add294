"""Copies the last block although nobody else reads it.

task: paged_cache.BlockManager
says: copies-unshared-block
"""


class BlockManager(BlockManager):  # noqa: F821
    def append(self, name, token):
        self._check(name, known=True)
        table = self._tables[name]
        if len(self._tokens[name]) % self.block_size == 0 or self.allocator.ref_count(table[-1]) > 1:
            return super().append(name, token)
        source, table[-1] = table[-1], self._take()
        self.allocator.free(source)
        super().append(name, token)
        return source, table[-1]
