"""Copies the table and raises no count.

task: paged_cache.BlockManager
says: fork-does-not-count
"""


class BlockManager(BlockManager):  # noqa: F821
    def fork(self, name, new):
        self._check(name, known=True)
        self._check(new, known=False)
        self._tables[new], self._tokens[new] = list(self._tables[name]), list(self._tokens[name])
