"""A shared last block is written to, with no copy.

task: paged_cache.BlockManager
says: copy-on-write-forgotten
"""


class BlockManager(BlockManager):  # noqa: F821
    def append(self, name, token):
        self._check(name, known=True)
        table, tokens = self._tables[name], self._tokens[name]
        if len(tokens) % self.block_size == 0:
            table.append(self._take())
        tokens.append(token)
        for key in self._keys(tokens)[len(tokens) // self.block_size - 1:]:
            self._remember(table[-1], key)
