"""The fork's table is the same list.

task: paged_cache.BlockManager
says: table-aliased
"""


class BlockManager(BlockManager):  # noqa: F821
    def fork(self, name, new):
        super().fork(name, new)
        self._tables[new] = self._tables[name]
