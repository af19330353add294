"""A free block that is shared again stays on the free list: it is evicted while in use.

task: paged_cache.BlockAllocator
says: shared-block-stays-free
"""


class BlockAllocator(BlockAllocator):  # noqa: F821
    def share(self, block):
        self._check(block)
        self._counts[block] += 1
