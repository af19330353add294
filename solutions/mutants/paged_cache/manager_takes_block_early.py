"""Takes the next block when the last one is full, and not when it is needed.

task: paged_cache.BlockManager
says: takes-block-early
"""


class BlockManager(BlockManager):  # noqa: F821
    def append(self, name, token):
        copy = super().append(name, token)
        if len(self._tokens[name]) % self.block_size == 0:
            self._tables[name].append(self._take())
        return copy
