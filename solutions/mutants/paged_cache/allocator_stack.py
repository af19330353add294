"""A list used as a stack: the block that was freed last comes first.

task: paged_cache.BlockAllocator
says: last-freed-first
"""


class BlockAllocator(BlockAllocator):  # noqa: F821
    def allocate(self):
        if not self._free:
            raise OutOfBlocks("no block is free")  # noqa: F821
        block = self._free.popleft()
        self._counts[block] = 1
        return block

    def free(self, block):
        self._check(block)
        if self._counts[block] == 0:
            raise ValueError(f"block {block} is free already")
        self._counts[block] -= 1
        if self._counts[block] == 0:
            self._free.appendleft(block)
