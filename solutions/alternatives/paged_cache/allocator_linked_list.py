"""The free list as two arrays of neighbours, as vLLM keeps it: nothing is searched.

task: paged_cache.BlockAllocator
"""


class BlockAllocator:
    def __init__(self, num_blocks):
        self.num_blocks = num_blocks
        self.users = [0] * num_blocks
        self.after = [*range(1, num_blocks + 1), 0]  # index num_blocks: the ends of the list
        self.before = [num_blocks, *range(num_blocks)]

    def _known(self, block):
        if block < 0 or block >= self.num_blocks:
            raise ValueError(f"block {block} is none of {self.num_blocks}")

    def _unlink(self, block):
        self.after[self.before[block]], self.before[self.after[block]] = self.after[block], self.before[block]

    def allocate(self):
        block = self.after[self.num_blocks]
        if block == self.num_blocks:
            raise OutOfBlocks(f"{self.num_blocks} blocks, none of them free")  # noqa: F821
        self._unlink(block)
        self.users[block] = 1
        return block

    def share(self, block):
        self._known(block)
        if not self.users[block]:
            self._unlink(block)
        self.users[block] += 1

    def free(self, block):
        self._known(block)
        if not self.users[block]:
            raise ValueError(f"double free of block {block}")
        self.users[block] -= 1
        if not self.users[block]:
            last = self.before[self.num_blocks]
            self.after[last] = self.before[self.num_blocks] = block
            self.before[block], self.after[block] = last, self.num_blocks

    def ref_count(self, block):
        return self.users[block]

    def ref_counts(self):
        return self.users[:]

    def free_blocks(self):
        found, block = [], self.after[self.num_blocks]
        while block != self.num_blocks:
            found.append(block)
            block = self.after[block]
        return found

    def num_free(self):
        return len(self.free_blocks())
