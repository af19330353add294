"""Only the blocks of a prompt go into the prefix cache.

task: paged_cache.BlockManager
says: appended-blocks-not-cached
"""


class BlockManager(BlockManager):  # noqa: F821
    def append(self, name, token):
        caching, self.prefix_caching = self.prefix_caching, False
        try:
            return super().append(name, token)
        finally:
            self.prefix_caching = caching
