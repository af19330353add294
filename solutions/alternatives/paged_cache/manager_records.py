"""A record for each sequence, keys kept as they grow, one dictionary of keys.

task: paged_cache.BlockManager
"""


class Sequence:
    def __init__(self, tokens, table, keys):
        self.tokens, self.table, self.keys = tokens, table, keys


class BlockManager:
    def __init__(self, allocator, block_size, prefix_caching=False):
        self.pool, self.size, self.caching = allocator, block_size, prefix_caching
        self.live, self.index, self.held = {}, {}, {}

    def _get(self, name):
        if name not in self.live:
            raise ValueError(f"unknown sequence {name}")
        return self.live[name]

    def _absent(self, name):
        if name in self.live:
            raise ValueError(f"sequence {name} exists")

    def _fresh(self):
        block = self.pool.allocate()
        key = self.held.pop(block, None)
        if key is not None:
            self.index.pop(key)
        return block

    def _store(self, sequence):
        """Give keys to the full blocks that have none yet."""
        while self.caching and (len(sequence.keys) + 1) * self.size <= len(sequence.tokens):
            i = len(sequence.keys)
            key = block_key(sequence.keys[-1] if i else "",
                            sequence.tokens[i * self.size:(i + 1) * self.size])  # noqa: F821
            sequence.keys.append(key)
            if key not in self.index:
                self.index[key] = sequence.table[i]
                self.held[sequence.table[i]] = key

    def add(self, name, tokens):
        self._absent(name)
        if len(tokens) == 0:
            raise ValueError(f"nothing to add: {tokens}")
        keys, hits = [], []
        if self.caching:
            for start in range(0, len(tokens) - self.size, self.size):
                keys.append(block_key(keys[-1] if keys else "", tokens[start:start + self.size]))  # noqa: F821
                if keys[-1] not in self.index:
                    break
                hits.append(self.index[keys[-1]])
        idle = len([block for block in hits if not self.pool.ref_count(block)])
        missing = (len(tokens) + self.size - 1) // self.size - len(hits)
        if self.pool.num_free() - idle < missing:
            raise OutOfBlocks(f"{missing} more blocks for {name}")  # noqa: F821
        for block in hits:
            self.pool.share(block)
        sequence = Sequence(list(tokens), list(hits), [])
        for _ in range(missing):
            sequence.table.append(self._fresh())
        self.live[name] = sequence
        self._store(sequence)
        return self.size * len(hits)

    def append(self, name, token):
        sequence, copy = self._get(name), None
        room = len(sequence.table) * self.size - len(sequence.tokens)
        last = sequence.table[-1]
        if room == 0:
            sequence.table.append(self._fresh())
        elif self.pool.ref_count(last) != 1:
            sequence.table[-1] = self._fresh()
            self.pool.free(last)
            copy = (last, sequence.table[-1])
        sequence.tokens.append(token)
        self._store(sequence)
        return copy

    def fork(self, name, new):
        old = self._get(name)
        self._absent(new)
        [self.pool.share(block) for block in old.table]
        self.live[new] = Sequence(old.tokens[:], old.table[:], old.keys[:])

    def free(self, name):
        table = self._get(name).table
        del self.live[name]
        while table:
            self.pool.free(table.pop())

    def table(self, name):
        return list(self._get(name).table)

    def snapshot(self):
        return {"tables": {name: list(one.table) for name, one in self.live.items()},
                "lengths": {name: len(one.tokens) for name, one in self.live.items()},
                "free": self.pool.free_blocks(), "counts": self.pool.ref_counts()}
