"""Counts a hit that is free as room for a new block too.

task: paged_cache.BlockManager
says: half-done
"""


class BlockManager(BlockManager):  # noqa: F821
    def add(self, name, tokens):
        size, tokens = self.block_size, list(tokens)
        self._check(name, known=False)
        if not tokens:
            raise ValueError(f"no tokens: {tokens}")
        keys, hits = self._keys(tokens), []
        for key in keys[:(len(tokens) - 1) // size]:
            if key not in self._block_of:
                break
            hits.append(self._block_of[key])
        new = -(-len(tokens) // size) - len(hits)
        if new > self.allocator.num_free():
            raise OutOfBlocks(f"{new} blocks needed")  # noqa: F821
        for block in hits:
            self.allocator.share(block)
        self._tables[name], self._tokens[name] = hits + [self._take() for _ in range(new)], tokens
        for block, key in zip(self._tables[name], keys):
            self._remember(block, key)
        return len(hits) * size
