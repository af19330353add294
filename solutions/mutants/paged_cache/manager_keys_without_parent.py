"""Calls block_key with no parent.

task: paged_cache.BlockManager
says: key-without-parent
"""


class BlockManager(BlockManager):  # noqa: F821
    def _keys(self, tokens):
        size = self.block_size if self.prefix_caching else len(tokens) + 1
        return [block_key("", tokens[end - size:end]) for end in range(size, len(tokens) + 1, size)]  # noqa: F821
