"""Looks up the first block and stops.

task: paged_cache.BlockManager
says: shares-only-the-first-block
"""


class BlockManager(BlockManager):  # noqa: F821
    def add(self, name, tokens):
        found = self._block_of
        first = self._keys(list(tokens))[:1]
        self._block_of = {key: block for key, block in found.items() if key in first}
        cached = super().add(name, tokens)
        for key, block in found.items():
            if self._key_of.get(block) == key:
                self._block_of.setdefault(key, block)
        return cached
