"""Whole decoding steps of the shipped models: a cache on blocks against the contiguous one. Used by
benchmarks/paged.py.

One sequence, 256 tokens of text before; the two caches take turns, step by step, and must choose the same
tokens.
"""

from __future__ import annotations

import statistics
import time

import torch

from llmlab import models
from llmlab.paged_cache import BlockAllocator, BlockManager, slot_mapping

CONTEXT, STEPS, BLOCK = 256, 48, 16


class OnBlocks:
    """What the model asks of a cache, for one sequence; a row of the pool is one block of one head, keys and
    values in one pool.
    """

    def __init__(self, config, manager: BlockManager, name: str):
        self.manager, self.name, self.length, self.padded = manager, name, 0, False
        self.mask = torch.zeros(1, 0, dtype=torch.bool)
        self.heads, self.blocks, self.dim = config.num_key_value_heads, manager.allocator.num_blocks, config.head_dim
        rows = 2 * self.heads * self.blocks
        self.pools = [torch.zeros(rows, manager.block_size * self.dim) for _ in range(config.num_hidden_layers)]
        self.table: list[int] = []
        self.places = torch.empty(0, dtype=torch.int64)

    def add(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (1, K, T, D) new ones, gather all."""
        new, size = keys.shape[2], self.manager.block_size
        if layer == 0:
            self.slots = slot_mapping(self.manager.table(self.name), self.length, new, size)
            if self.manager.table(self.name) != self.table:
                self.table = self.manager.table(self.name)
                self.places = (torch.arange(2 * self.heads)[:, None] * self.blocks + torch.tensor(self.table)).flatten()
        pool = self.pools[layer]
        slots = pool.view(2, self.heads, self.blocks * size, self.dim)
        slots[:, :, self.slots] = torch.cat([keys, values])
        both = pool.index_select(0, self.places).view(2, 1, self.heads, -1, self.dim)[:, :, :, :self.length + new]
        return both[0], both[1]

    def advance(self, mask: torch.Tensor) -> None:
        self.length += mask.shape[1]
        self.mask = torch.cat([self.mask, mask], dim=1)


@torch.inference_mode()
def step_ratio(name: str) -> tuple[float, float]:
    """(median ratio of the CPU time of a step, half the distance of the quartiles)."""
    lm = models.load(name)
    ids = (lm.encode("Once upon a time there was a little cat. ") * CONTEXT)[:CONTEXT]
    manager = BlockManager(BlockAllocator(2 * (CONTEXT + STEPS) // BLOCK), BLOCK)
    manager.add("x", ids)
    caches = {"contiguous": lm.new_cache(1), "paged": OnBlocks(lm.model.config, manager, "x")}
    last = {kind: int(lm.logits(torch.tensor([ids]), cache=cache)[0, -1].argmax()) for kind, cache in caches.items()}
    seen: dict[str, list[float]] = {kind: [] for kind in caches}
    for _ in range(STEPS):
        assert last["paged"] == last["contiguous"]
        token = torch.tensor([[last["paged"]]])
        for kind, cache in caches.items():
            began = time.process_time()
            if kind == "paged":
                manager.append("x", int(token))
            last[kind] = int(lm.logits(token, cache=cache)[0, -1].argmax())
            seen[kind].append(time.process_time() - began)
    each = [p / c for p, c in zip(seen["paged"], seen["contiguous"], strict=True)]
    low, middle, high = statistics.quantiles(each, n=4)
    return middle, (high - low) / 2
