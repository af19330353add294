"""A free block is freed again, and gets on the free list twice.

task: paged_cache.BlockAllocator
says: accepts-double-free
"""


class BlockAllocator(BlockAllocator):  # noqa: F821
    def free(self, block):
        if not 0 <= block < self.num_blocks:
            raise ValueError(f"no block {block}")
        self._counts[block] = max(0, self._counts[block] - 1)
        if self._counts[block] == 0:
            self._free.append(block)
