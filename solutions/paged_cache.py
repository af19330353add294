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
        ### BEGIN SOLUTION
        if not self._free:
            raise OutOfBlocks(f"all {self.num_blocks} blocks are in use; free a sequence first")
        block = self._free.popleft()
        self._counts[block] = 1
        return block
        ### END SOLUTION

    def share(self, block: int) -> None:
        """One user more. A free block can be shared too, if its content is still wanted: it leaves the free list.

        Raises ValueError, naming the block, if there is no such block.
        """
        ### BEGIN SOLUTION
        self._check(block)
        if self._counts[block] == 0:
            self._free.remove(block)
        self._counts[block] += 1
        ### END SOLUTION

    def free(self, block: int) -> None:
        """One user less. Without a user left, the block goes to the end of the free list.

        Raises ValueError, naming the block, if there is no such block, or if it is free already (a double free).
        """
        ### BEGIN SOLUTION
        self._check(block)
        if self._counts[block] == 0:
            raise ValueError(f"block {block} is free already: it was freed more often than it was taken")
        self._counts[block] -= 1
        if self._counts[block] == 0:
            self._free.append(block)

    def _check(self, block: int) -> None:
        if not 0 <= block < self.num_blocks:
            raise ValueError(f"there is no block {block}; the blocks are 0 to {self.num_blocks - 1}")
        ### END SOLUTION

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
    ### BEGIN SOLUTION
    last = first + count - 1
    if first < 0 or last >= len(table) * block_size:
        wrong = first if first < 0 else last
        raise ValueError(f"position {wrong} lies outside of the {len(table)} blocks of {block_size}")
    positions = torch.arange(first, first + count)
    blocks = torch.tensor(list(table), dtype=torch.int64)[positions // block_size]
    return blocks * block_size + positions % block_size
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    batch, most = tables.shape
    size, heads = k_blocks.shape[1:3]
    blocks = tables.clamp(min=0).flatten()
    k, v = (pool.index_select(0, blocks).unflatten(0, (batch, most)).flatten(1, 2) for pool in (k_blocks, v_blocks))
    hidden = torch.arange(most * size) >= lengths[:, None]  # (B, T): slots that hold nothing of this sequence
    groups = q.unflatten(1, (heads, -1))  # (B, K, H // K, D)
    scores = torch.einsum("bkgd,btkd->bkgt", groups, k) * q.shape[-1] ** -0.5
    weights = scores.masked_fill(hidden[:, None, None], float("-inf")).softmax(-1)
    return torch.einsum("bkgt,btkd->bkgd", weights, v).flatten(1, 2)
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    return hashlib.sha256(f"{parent}:{','.join(map(str, tokens))}".encode()).hexdigest()
    ### END SOLUTION


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
        ### BEGIN SOLUTION
        size, tokens = self.block_size, list(tokens)
        self._check(name, known=False)
        if not tokens:
            raise ValueError(f"sequence {name!r} has no tokens: [] cannot be continued")
        keys, hits = self._keys(tokens), []
        for key in keys[:(len(tokens) - 1) // size]:
            if key not in self._block_of:
                break
            hits.append(self._block_of[key])
        new = -(-len(tokens) // size) - len(hits)
        free = self.allocator.num_free() - sum(self.allocator.ref_count(block) == 0 for block in hits)
        if new > free:
            raise OutOfBlocks(f"sequence {name!r} needs {new} new blocks, and {free} are free")
        for block in hits:  # before new ones are taken: a hit may be free, and the next to be handed out
            self.allocator.share(block)
        table = hits + [self._take() for _ in range(new)]
        self._tables[name], self._tokens[name] = table, tokens
        for block, key in zip(table, keys):
            self._remember(block, key)
        return len(hits) * size
        ### END SOLUTION

    def append(self, name: str, token: int) -> tuple[int, int] | None:
        """One token more. Returns (source, target) if the caller has to copy a block before it writes, else None.

        A full last block is followed by a new one. A last block that has other users is not written to: the sequence
        gets a new block in its place (copy-on-write). A block that became full goes into the prefix cache.
        Raises ValueError, naming it, for an unknown name; OutOfBlocks if a block is needed and none is free.
        """
        ### BEGIN SOLUTION
        self._check(name, known=True)
        table, tokens, copy = self._tables[name], self._tokens[name], None
        if len(tokens) % self.block_size == 0:
            table.append(self._take())
        elif self.allocator.ref_count(table[-1]) > 1:
            copy = table[-1], self._take()
            self.allocator.free(table[-1])
            table[-1] = copy[1]
        tokens.append(token)
        if len(tokens) % self.block_size == 0:
            for key in self._keys(tokens)[-1:]:
                self._remember(table[-1], key)
        return copy
        ### END SOLUTION

    def fork(self, name: str, new: str) -> None:
        """A second sequence with the same tokens and blocks, the last one included. No block is copied or taken.

        Raises ValueError, naming it, for an unknown `name` and for a `new` that is in use.
        """
        ### BEGIN SOLUTION
        self._check(name, known=True)
        self._check(new, known=False)
        for block in self._tables[name]:
            self.allocator.share(block)
        self._tables[new], self._tokens[new] = self._tables[name].copy(), self._tokens[name].copy()
        ### END SOLUTION

    def free(self, name: str) -> None:
        """The sequence is finished: its blocks lose a user, the last block of the table first.

        In this order the end of a prefix is evicted before its beginning, without which the end could not be found.
        Raises ValueError, naming it, for an unknown name.
        """
        ### BEGIN SOLUTION
        self._check(name, known=True)
        for block in reversed(self._tables.pop(name)):
            self.allocator.free(block)
        del self._tokens[name]

    def _check(self, name: str, known: bool) -> None:
        if (name in self._tables) != known:
            raise ValueError(f"there is {'no' if known else 'already a'} sequence {name!r}")

    def _keys(self, tokens: list[int]) -> list[str]:
        """The keys of all full blocks, each with the one before as its parent."""
        keys, size = [], self.block_size
        if self.prefix_caching:
            for end in range(size, len(tokens) + 1, size):
                keys.append(block_key(keys[-1] if keys else "", tokens[end - size:end]))
        return keys

    def _take(self) -> int:
        """A block from the allocator. What it held is overwritten, so nobody may find it any more."""
        block = self.allocator.allocate()
        if block in self._key_of:
            del self._block_of[self._key_of.pop(block)]
        return block

    def _remember(self, block: int, key: str) -> None:
        if key not in self._block_of:
            self._block_of[key], self._key_of[block] = block, key
        ### END SOLUTION

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
    ### BEGIN SOLUTION
    filled: dict[int, int] = {}
    for table, length in zip(tables, lengths, strict=True):
        for i, block in enumerate(table):
            filled[block] = max(filled.get(block, 0), min(block_size, length - i * block_size))
    allocated = len(filled) * block_size
    return {"tokens": sum(lengths), "allocated": allocated, "filled": sum(filled.values()),
            "wasted": allocated - sum(filled.values())}
    ### END SOLUTION
