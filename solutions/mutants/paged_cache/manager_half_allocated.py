"""Takes blocks one by one until there are none, and keeps them when it fails.

task: paged_cache.BlockManager
says: half-done
"""


class BlockManager(BlockManager):  # noqa: F821
    def add(self, name, tokens):
        size, tokens = self.block_size, list(tokens)
        self._check(name, known=False)
        if not tokens:
            raise ValueError(f"no tokens: {tokens}")
        keys, table = self._keys(tokens), []
        for key in keys[:(len(tokens) - 1) // size]:
            if key not in self._block_of:
                break
            table.append(self._block_of[key])
            self.allocator.share(table[-1])
        hits = len(table)
        while len(table) * size < len(tokens):
            table.append(self._take())
        self._tables[name], self._tokens[name] = table, tokens
        for block, key in zip(table, keys):
            self._remember(block, key)
        return hits * size
