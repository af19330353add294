"""Takes new blocks first: a hit that is free may be among them.

task: paged_cache.BlockManager
says: hit-handed-out-again
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
        new = max(0, -(-len(tokens) // size) - len(hits))
        if new > self.allocator.num_free() - sum(self.allocator.ref_count(block) == 0 for block in hits):
            raise OutOfBlocks(f"{new} blocks needed")  # noqa: F821
        table = [self._take() for _ in range(new)]
        for block in hits:
            self.allocator.share(block)
        table = hits + table
        self._tables[name], self._tokens[name] = table, tokens
        for block, key in zip(table, keys):
            self._remember(block, key)
        return len(hits) * size
