"""Looks at the front of the free list without taking it off.

task: paged_cache.BlockAllocator
says: hands-out-twice
"""


class BlockAllocator(BlockAllocator):  # noqa: F821
    def allocate(self):
        if not self._free:
            raise OutOfBlocks("no block is free")  # noqa: F821
        self._counts[self._free[0]] = 1
        return self._free[0]
