"""Writes the token down before it knows that there is a block for it.

task: paged_cache.BlockManager
says: half-done
"""


class BlockManager(BlockManager):  # noqa: F821
    def append(self, name, token):
        self._check(name, known=True)
        table, tokens, copy = self._tables[name], self._tokens[name], None
        tokens.append(token)
        if len(tokens) % self.block_size == 1 or self.block_size == 1:
            table.append(self._take())
        elif self.allocator.ref_count(table[-1]) > 1:
            copy = table[-1], self._take()
            self.allocator.free(table[-1])
            table[-1] = copy[1]
        for key in self._keys(tokens)[(len(tokens) - 1) // self.block_size:]:
            self._remember(table[-1], key)
        return copy
