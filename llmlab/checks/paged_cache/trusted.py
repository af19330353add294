"""The allocator that the checks of BlockManager lend: right by construction, and on the trusted side.

So a mistake in a student's BlockAllocator costs nothing in BlockManager. What it raises arrives as a
ValueError.
"""

from __future__ import annotations

from llmlab.checks.protocol import Remote

METHODS = ("allocate", "share", "free", "ref_count", "ref_counts", "num_free", "free_blocks")
DOUBLE_FREE = "is free already"
EMPTY = "blocks are in use"


class Pool:
    """Two plain lists: who is free, in order, and how many users each block has."""

    def __init__(self, num_blocks: int):
        self.queue = list(range(num_blocks))
        self.users = [0] * num_blocks

    def _known(self, block) -> int:
        if type(block) is not int or not 0 <= block < len(self.users):
            raise ValueError(f"there is no block {block if type(block) is int else type(block).__name__}")
        return block

    def allocate(self) -> int:
        if not self.queue:
            raise ValueError(f"all {len(self.users)} {EMPTY}")
        block = self.queue.pop(0)
        self.users[block] = 1
        return block

    def share(self, block: int) -> None:
        if self.users[self._known(block)] == 0:
            self.queue.remove(block)
        self.users[block] += 1

    def free(self, block: int) -> None:
        if self.users[self._known(block)] == 0:
            raise ValueError(f"block {block} {DOUBLE_FREE}")
        self.users[block] -= 1
        if self.users[block] == 0:
            self.queue.append(block)

    def ref_count(self, block: int) -> int:
        return self.users[self._known(block)]

    def ref_counts(self) -> list[int]:
        return list(self.users)

    def num_free(self) -> int:
        return len(self.queue)

    def free_blocks(self) -> list[int]:
        return list(self.queue)


def allocator(num_blocks: int) -> Remote:
    """A new pool of this many blocks for every run of a case."""
    return Remote("allocator", lambda: Pool(num_blocks), METHODS, {"num_blocks": num_blocks})
