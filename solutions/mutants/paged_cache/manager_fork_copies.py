"""A fork gets blocks of its own at once.

task: paged_cache.BlockManager
says: fork-copies-blocks
"""


class BlockManager(BlockManager):  # noqa: F821
    def fork(self, name, new):
        self._check(name, known=True)
        self._check(new, known=False)
        self._tables[new] = [self._take() for _ in self._tables[name]]
        self._tokens[new] = list(self._tokens[name])
