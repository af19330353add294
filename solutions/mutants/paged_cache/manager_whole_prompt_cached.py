"""Finds a prompt to its end: no token is left whose logits could be computed.

task: paged_cache.BlockManager
says: nothing-left-to-compute
"""


class BlockManager(BlockManager):  # noqa: F821
    def add(self, name, tokens):
        size, tokens = self.block_size, list(tokens)
        self._check(name, known=False)
        if not tokens:
            raise ValueError(f"no tokens: {tokens}")
        keys, hits = self._keys(tokens), []
        for key in keys:
            if key not in self._block_of:
                break
            hits.append(self._block_of[key])
        new = max(0, -(-len(tokens) // size) - len(hits))
        if new > self.allocator.num_free() - sum(self.allocator.ref_count(block) == 0 for block in hits):
            raise OutOfBlocks(f"{new} blocks needed")  # noqa: F821
        for block in hits:
            self.allocator.share(block)
        table = hits + [self._take() for _ in range(new)]
        self._tables[name], self._tokens[name] = table, tokens
        for block, key in zip(table, keys):
            self._remember(block, key)
        return len(hits) * size
