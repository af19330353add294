"""Every free puts the block on the free list, while others read it.

task: paged_cache.BlockAllocator
says: frees-shared-block
"""


class BlockAllocator(BlockAllocator):  # noqa: F821
    def free(self, block):
        self._check(block)
        if self._counts[block] == 0:
            raise ValueError(f"block {block} is free already")
        self._counts[block] -= 1
        if block not in self._free:
            self._free.append(block)
