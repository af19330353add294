"""Block -1 is the last one, as in a list.

task: paged_cache.BlockAllocator
says: accepts-negative-id
"""


class BlockAllocator(BlockAllocator):  # noqa: F821
    def _check(self, block):
        if block >= self.num_blocks:
            raise ValueError(f"no block {block}")
