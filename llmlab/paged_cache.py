"""A paged KV cache: keys and values live in blocks of fixed size, and a block table says where each token went.

`BlockAllocator` counts who uses which block. `BlockManager` keeps a table for each sequence: it adds, appends, forks
with copy-on-write, and finds prefixes that are there already by their `block_key`. `slot_mapping` says where a token's
K and V are written, `paged_attention` reads them back, and `usage` counts what is filled. The manager moves no K or V.

Words: a *block* is an id 0..num_blocks - 1 with room for `block_size` tokens; a *slot* is block * block_size + offset;
position i of a sequence lies in block table[i // block_size] at offset i % block_size.
Source: Kwon et al. 2023, "Efficient memory management for large language model serving with PagedAttention"; free list
and prefix cache as in vLLM's block pool.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence

import torch


class OutOfBlocks(RuntimeError):
    """Every block is in use. Nothing was changed; free a sequence and try again."""


class BlockAllocator:
    """Hands out block ids and counts their users.

    The free list is a queue: at first 0, 1, 2, ...; a block is taken at the front, and put back at the end when its
    last user is gone. So the block that has been free for the longest time is used again first.

    >>> blocks = BlockAllocator(3)
    >>> blocks.allocate(), blocks.allocate()
    (0, 1)
    >>> blocks.share(0); blocks.free(0); blocks.free(1)
    >>> blocks.ref_count(0), blocks.free_blocks()
    (1, [2, 1])
    """

    def __init__(self, num_blocks: int):
        self.num_blocks = num_blocks
        self._free = deque(range(num_blocks))  # front: the next one to hand out
        self._counts = [0] * num_blocks  # block -> number of users

    def allocate(self) -> int:
        """Take the block at the front of the free list; it has one user now. Raises OutOfBlocks if there is none."""
        raise NotImplementedError(
            "Lab 4, task paged_cache.BlockAllocator: hand out block ids from a queue and count the users "
            "of each. Read part3/paged-cache.html#sec-block-allocator"
        )

    def share(self, block: int) -> None:
        """One user more. A free block can be shared too, if its content is still wanted: it leaves the free list.

        Raises ValueError, naming the block, if there is no such block.
        """
        raise NotImplementedError(
            "Lab 4, task paged_cache.BlockAllocator: hand out block ids from a queue and count the users "
            "of each. Read part3/paged-cache.html#sec-block-allocator"
        )

    def free(self, block: int) -> None:
        """One user less. Without a user left, the block goes to the end of the free list.

        Raises ValueError, naming the block, if there is no such block, or if it is free already (a double free).
        """
        raise NotImplementedError(
            "Lab 4, task paged_cache.BlockAllocator: hand out block ids from a queue and count the users "
            "of each. Read part3/paged-cache.html#sec-block-allocator"
        )

    def ref_count(self, block: int) -> int:
        """How many users a block has; 0 if it is free."""
        return self._counts[block]

    def ref_counts(self) -> list[int]:
        """The same for all blocks."""
        return list(self._counts)

    def num_free(self) -> int:
        """How many blocks are free."""
        return len(self._free)

    def free_blocks(self) -> list[int]:
        """The free list, front first."""
        return list(self._free)


def slot_mapping(table: Sequence[int], first: int, count: int, block_size: int) -> torch.Tensor:
    """The slots of the positions first, first + 1, ..., first + count - 1 of a sequence.

    A pool of keys (num_blocks, block_size, K, D) is then written by `pool.view(-1, K, D)[slots] = k`, k (count, K, D).

    table: the sequence's blocks; first, count: >= 0; block_size: tokens in a block. Returns (count,) int64.
    Raises ValueError, naming the position, if one lies below 0 or behind the last block of the table.

    >>> slot_mapping([7, 2], 3, 3, 4)  # the last slot of block 7, then the first two of block 2
    tensor([31,  8,  9])
    """
    raise NotImplementedError(
        "Lab 4, task paged_cache.slot_mapping: say into which slots the K and V of some positions go. "
        "Read part3/paged-cache.html#sec-slot-mapping"
    )


def paged_attention(q: torch.Tensor, k_blocks: torch.Tensor, v_blocks: torch.Tensor, tables: torch.Tensor,
                    lengths: torch.Tensor) -> torch.Tensor:
    """Attention of one new token per sequence over the K and V that its block table points to.

    Row b attends to its lengths[b] positions, that of the new token included, and to nothing else: the other slots of
    its last block hold numbers of somebody else. Scores are q . k / sqrt(D). Query head h uses KV head h // (H // K).

    q: (B, H, D) float; k_blocks, v_blocks: (num_blocks, block_size, K, D) float, H a multiple of K; tables: (B, M)
    int64, filled up with -1; lengths: (B,) int64, 1 to M * block_size. Returns (B, H, D), dtype of q. Changes nothing.
    Source: Kwon et al. 2023, section 4.1, equation 4.

    >>> q, k = torch.ones(1, 1, 2), torch.zeros(3, 2, 1, 2)
    >>> v = torch.tensor([[9., 9, 9, 9], [1, 2, 9, 9], [3, 4, 5, 6]]).view(3, 2, 1, 2)
    >>> paged_attention(q, k, v, torch.tensor([[2, 1]]), torch.tensor([3]))  # the mean of (3, 4), (5, 6), (1, 2)
    tensor([[[3., 4.]]])
    """
    raise NotImplementedError(
        "Lab 4, task paged_cache.paged_attention: attend to the K and V that a block table points to. "
        "Read part3/paged-cache.html#sec-paged-attention"
    )


def block_key(parent: str, tokens: Sequence[int]) -> str:
    """The name by which the prefix cache finds a full block: a hash of its tokens and of the key of the block before.

    The K and V of a token depend on the whole text before it. So two blocks may be exchanged only if their tokens are
    equal *and* everything before them is. With the parent's key in the hash, equal keys mean an equal prefix.

    parent: key of the block before, "" for the first block; tokens: the ids of the block, in order.
    Returns a string of fixed length, the same in every process (Python's `hash` of a string is not). Which hash
    function is your choice, but two texts that differ must not get the same key.

    >>> first = block_key("", [1, 2])
    >>> block_key(first, [3, 4]) == block_key(first, [3, 4]), block_key(first, [3, 4]) == block_key("", [3, 4])
    (True, False)
    """
    raise NotImplementedError(
        "Lab 4, task paged_cache.block_key: name a full block by a hash of its tokens and of everything "
        "before them. Read part3/sharing.html#sec-block-key"
    )


class BlockManager:
    """The block tables of all sequences, over one allocator.

    The caller writes K and V of the new tokens after each `add` and `append`, and does the copy that `append` asks for.
    With prefix_caching, each full block is found again under its `block_key`, also after its last user is gone,
    until the allocator hands it out for something else: that is LRU eviction, since the free list is a queue.
    Names of sequences are strings. Whatever raises, raises before anything has changed.

    >>> manager = BlockManager(BlockAllocator(6), block_size=2, prefix_caching=True)
    >>> manager.add("a", [1, 2, 3]), manager.table("a")
    (0, [0, 1])
    >>> manager.fork("a", "b")
    >>> manager.append("b", 4), manager.table("b")  # block 1 is shared: b gets a copy of its own
    ((1, 2), [0, 2])
    >>> manager.add("c", [1, 2, 3, 4, 5]), manager.table("c")  # four tokens are there already
    (4, [0, 2, 3])
    """

    def __init__(self, allocator: BlockAllocator, block_size: int, prefix_caching: bool = False):
        self.allocator, self.block_size, self.prefix_caching = allocator, block_size, prefix_caching
        self._tables: dict[str, list[int]] = {}
        self._tokens: dict[str, list[int]] = {}
        self._block_of: dict[str, int] = {}  # prefix cache: key -> the block that holds it
        self._key_of: dict[int, str] = {}  # the same, backwards

    def add(self, name: str, tokens: Sequence[int]) -> int:
        """A new sequence with these tokens (at least one). Returns how many of them have their K and V already.

        Blocks found by their key come first in the table, up to the first miss; new ones follow. At least one token is
        always left to compute, because its logits are wanted: a prompt that is cached to its end is a hit up to the
        full block before its last token. Full blocks go into the prefix cache; a key that is known keeps its block.

        Raises ValueError, naming it, for a name in use, and for no tokens; OutOfBlocks if there are too few.
        """
        raise NotImplementedError(
            "Lab 4, task paged_cache.BlockManager: keep a block table for each sequence: add, append, "
            "fork, free, and share prefixes. Read part3/paged-cache.html#sec-block-manager"
        )

    def append(self, name: str, token: int) -> tuple[int, int] | None:
        """One token more. Returns (source, target) if the caller has to copy a block before it writes, else None.

        A full last block is followed by a new one. A last block that has other users is not written to: the sequence
        gets a new block in its place (copy-on-write). A block that became full goes into the prefix cache.
        Raises ValueError, naming it, for an unknown name; OutOfBlocks if a block is needed and none is free.
        """
        raise NotImplementedError(
            "Lab 4, task paged_cache.BlockManager: keep a block table for each sequence: add, append, "
            "fork, free, and share prefixes. Read part3/paged-cache.html#sec-block-manager"
        )

    def fork(self, name: str, new: str) -> None:
        """A second sequence with the same tokens and blocks, the last one included. No block is copied or taken.

        Raises ValueError, naming it, for an unknown `name` and for a `new` that is in use.
        """
        raise NotImplementedError(
            "Lab 4, task paged_cache.BlockManager: keep a block table for each sequence: add, append, "
            "fork, free, and share prefixes. Read part3/paged-cache.html#sec-block-manager"
        )

    def free(self, name: str) -> None:
        """The sequence is finished: its blocks lose a user, the last block of the table first.

        In this order the end of a prefix is evicted before its beginning, without which the end could not be found.
        Raises ValueError, naming it, for an unknown name.
        """
        raise NotImplementedError(
            "Lab 4, task paged_cache.BlockManager: keep a block table for each sequence: add, append, "
            "fork, free, and share prefixes. Read part3/paged-cache.html#sec-block-manager"
        )

    def table(self, name: str) -> list[int]:
        """The blocks of a sequence, in order."""
        return list(self._tables[name])

    def snapshot(self) -> dict:
        """All tables, the number of tokens of each sequence, the free list, and the users of each block."""
        return {"tables": {name: list(table) for name, table in self._tables.items()},
                "lengths": {name: len(tokens) for name, tokens in self._tokens.items()},
                "free": self.allocator.free_blocks(), "counts": self.allocator.ref_counts()}


def usage(tables: Sequence[Sequence[int]], lengths: Sequence[int], block_size: int) -> dict[str, int]:
    """What the sequences take and what they fill, in slots (multiply by the bytes of a token to get bytes).

    A block in several tables is one block. Its filled slots count once: as many as the longest of its sequences fills.

    tables: the blocks of each sequence; lengths: its tokens. Returns {"tokens": what the sequences would fill without
    sharing, "allocated": slots of all blocks in use, "filled": slots of them that hold a token, "wasted": the rest}.

    >>> usage([[0, 1], [0, 2]], [3, 4], 2)  # block 0 is shared, block 1 half full
    {'tokens': 7, 'allocated': 6, 'filled': 5, 'wasted': 1}
    """
    raise NotImplementedError(
        "Lab 4, task paged_cache.usage: count the slots that are allocated, filled and wasted. Read "
        "part3/waste.html#sec-usage"
    )
