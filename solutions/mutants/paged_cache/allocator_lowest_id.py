"""A sorted free list: always the smallest id.

task: paged_cache.BlockAllocator
says: lowest-id-first
"""


class BlockAllocator(BlockAllocator):  # noqa: F821
    def allocate(self):
        if not self._free:
            raise OutOfBlocks("no block is free")  # noqa: F821
        block = min(self._free)
        self._free.remove(block)
        self._counts[block] = 1
        return block
