"""Takes a block of its own and tells nobody to fill it.

task: paged_cache.BlockManager
says: copy-not-reported
"""


class BlockManager(BlockManager):  # noqa: F821
    def append(self, name, token):
        super().append(name, token)
