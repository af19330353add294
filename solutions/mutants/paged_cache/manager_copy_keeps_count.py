"""The sequence leaves the shared block, and stays its user.

task: paged_cache.BlockManager
says: copy-keeps-old-count
"""


class BlockManager(BlockManager):  # noqa: F821
    def append(self, name, token):
        self._check(name, known=True)
        before = self._tables[name][-1]
        copy = super().append(name, token)
        if copy:
            self.allocator.share(before)
        return copy
