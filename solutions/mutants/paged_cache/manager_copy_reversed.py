"""Gives (target, source).

task: paged_cache.BlockManager
says: copy-reversed
"""


class BlockManager(BlockManager):  # noqa: F821
    def append(self, name, token):
        copy = super().append(name, token)
        return copy[::-1] if copy else None
