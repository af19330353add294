"""No list: each free block has the time at which it became free, and the oldest is taken.

task: paged_cache.BlockAllocator
"""


class BlockAllocator:
    def __init__(self, num_blocks):
        self.num_blocks, self.clock = num_blocks, num_blocks
        self.since = {block: block for block in range(num_blocks)}  # free blocks only
        self.users = dict.fromkeys(range(num_blocks), 0)

    def allocate(self):
        if not self.since:
            raise OutOfBlocks("no free block")  # noqa: F821
        block = min(self.since, key=self.since.get)
        self.share(block)
        return block

    def share(self, block):
        if block not in self.users:
            raise ValueError(f"unknown block: {block}")
        self.since.pop(block, None)
        self.users[block] += 1

    def free(self, block):
        if self.users.get(block, 0) < 1:
            raise ValueError(f"block {block} is not in use")
        self.users[block] -= 1
        if self.users[block] == 0:
            self.clock += 1
            self.since[block] = self.clock

    def ref_count(self, block):
        return self.users[block]

    def ref_counts(self):
        return [self.users[block] for block in range(self.num_blocks)]

    def num_free(self):
        return len(self.since)

    def free_blocks(self):
        return sorted(self.since, key=self.since.get)
