"""How much of a KV cache's memory holds tokens: a server that reserves in one piece, and one that pages.
Counts, no times.

Requests wait in line; whoever fits comes in, every running sequence gets one token a step, finished ones
leave. In one piece means first fit in an array of slots: the largest length there is ("max"), the prompt and
the next power of two of the answer's length ("pow2"), or exactly what will be needed ("exact": it would have
to know the future). Lengths are lognormal with the means that Kwon et al. 2023 give for ShareGPT in figure 11.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from llmlab.paged_cache import BlockAllocator, BlockManager, OutOfBlocks, usage

SLOTS, LONGEST, BLOCK = 32_768, 2_048, 16
STEPS, WARM = 2_400, 400
KEPT = 0.03
"""Share of the blocks that admission leaves free, for the running sequences to grow into."""
PROMPT_MEAN, ANSWER_MEAN, SPREAD = 161.3, 338.0, 1.0


def requests(count: int, seed: int = 0) -> list[tuple[int, int]]:
    """(prompt, answer) lengths, together at most LONGEST."""
    g = torch.Generator().manual_seed(seed)
    made = []
    for mean in (PROMPT_MEAN, ANSWER_MEAN):
        middle = torch.tensor(mean).log() - SPREAD**2 / 2
        drawn = (torch.randn(count, generator=g) * SPREAD + middle).exp().round()
        made.append(drawn.clamp(1, LONGEST // 2).int().tolist())
    return list(zip(*made, strict=True))


@dataclass
class Tally:
    """What a run added up: sums over the steps after the warm-up, and refusals of the first in line."""

    steps: int = 0
    tokens: int = 0
    reserved: int = 0
    running: int = 0
    future: int = 0
    refused: int = 0
    refused_with_room: int = 0
    preempted: int = 0
    finished: int = 0
    worst_waste: int = 0
    trace: list[tuple[int, int]] = field(default_factory=list)

    def add(self, tokens: int, reserved: int, running: int, future: int = 0) -> None:
        self.steps += 1
        self.tokens += tokens
        self.reserved += reserved
        self.running += running
        self.future += future

    def shares(self) -> dict[str, float]:
        """Of all slots: with a token in them, kept for tokens to come, reserved for none, not reserved."""
        whole = self.steps * SLOTS
        return {"held": self.tokens / whole, "future": self.future / whole,
                "internal": (self.reserved - self.tokens - self.future) / whole, "external": 1 - self.reserved / whole,
                "running": self.running / self.steps}


def power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()


RESERVE: dict[str, Callable[[int, int], int]] = {
    "max": lambda prompt, answer: LONGEST,
    "pow2": lambda prompt, answer: min(LONGEST, prompt + power_of_two(answer)),
    "exact": lambda prompt, answer: prompt + answer,
}


def first_fit(taken: list[tuple[int, int]], size: int) -> int | None:
    """Where `size` slots in a row are free; `taken` are (start, end), sorted."""
    at = 0
    for start, end in taken:
        if start - at >= size:
            return at
        at = end
    return at if SLOTS - at >= size else None


def contiguous(reserve: Callable[[int, int], int], waiting: list[tuple[int, int]]) -> Tally:
    """A server that reserves one piece for each sequence."""
    tally, line, live = Tally(), list(reversed(waiting)), []  # live: [start, end, now, prompt + answer]
    for step in range(STEPS):
        while line:
            prompt, answer = line[-1]
            need = reserve(prompt, answer)
            taken = sorted((start, end) for start, end, *_ in live)
            start = first_fit(taken, need)
            if start is None:
                if step >= WARM:
                    tally.refused += 1
                    tally.refused_with_room += SLOTS - sum(end - begin for begin, end in taken) >= need
                break
            line.pop()
            live.append([start, start + need, prompt, prompt + answer])
        for one in live:
            one[2] += 1
        if step >= WARM:
            now = sum(one[2] for one in live)
            tally.add(now, sum(one[1] - one[0] for one in live), len(live), sum(one[3] for one in live) - now)
            tally.finished += sum(one[2] >= one[3] for one in live)
        live = [one for one in live if one[2] < one[3]]
    return tally


def paged(waiting: list[tuple[int, int]], block: int = BLOCK) -> Tally:
    """A server on the student's manager: a block when there is a token for it. Without room the newest starts
    again.
    """
    manager = BlockManager(BlockAllocator(SLOTS // block), block)
    tally, line, live, born = Tally(), list(reversed(waiting)), {}, 0
    for step in range(STEPS):
        while line:
            prompt, answer = line[-1]
            blocks = manager.allocator.num_free() - int(KEPT * SLOTS) // block
            if -(-prompt // block) > blocks:
                if step >= WARM:
                    tally.refused += 1
                    tally.refused_with_room += blocks * block >= -(-prompt // block) * block
                break
            manager.add(str(born), [0] * prompt)
            live[str(born)] = line.pop()
            born += 1
        for name in list(live):
            while name in live:
                try:
                    manager.append(name, 0)
                    break
                except OutOfBlocks:
                    newest = list(live)[-1]
                    line.append(live.pop(newest))
                    manager.free(newest)
                    tally.preempted += step >= WARM
        shot = manager.snapshot()
        if step >= WARM:
            counts = usage(list(shot["tables"].values()), [shot["lengths"][name] for name in shot["tables"]], block)
            tally.add(counts["filled"], counts["allocated"], len(live))
            empty = [len(shot["tables"][name]) * block - shot["lengths"][name] for name in live]
            tally.worst_waste = max([tally.worst_waste, *empty])
        for name in [name for name, (prompt, answer) in live.items() if shot["lengths"][name] >= prompt + answer]:
            manager.free(name)
            del live[name]
            tally.finished += step >= WARM
    return tally


def wasted_share(block: int, longest: int = LONGEST) -> float:
    """Slots wasted in last blocks over slots allocated, one sequence of each length 1 .. longest."""
    tables, next_block = [], 0
    for n in range(1, longest + 1):
        need = -(-n // block)
        tables.append(range(next_block, next_block + need))
        next_block += need
    counts = usage(tables, list(range(1, longest + 1)), block)
    return counts["wasted"] / counts["allocated"]


def shared_prompt(samples: int, prompt: int, answer: int) -> dict[str, int]:
    """Parallel sampling: one prompt, forked, each answer its own. The counts of `usage` at the end."""
    manager = BlockManager(BlockAllocator(SLOTS // BLOCK), BLOCK)
    manager.add("0", [0] * prompt)
    for i in range(1, samples):
        manager.fork("0", str(i))
    for _ in range(answer):
        for i in range(samples):
            manager.append(str(i), i)
    shot = manager.snapshot()
    return usage(list(shot["tables"].values()), list(shot["lengths"].values()), BLOCK)


def system_prompt(chats: int, shared: int, own: int) -> tuple[int, int]:
    """Tokens to compute for chats that begin alike, without and with a prefix cache."""
    computed = []
    for caching in (False, True):
        manager = BlockManager(BlockAllocator(SLOTS // BLOCK), BLOCK, caching)
        texts = [[*range(shared), *[10_000 + i] * own] for i in range(chats)]
        computed.append(sum(len(text) - manager.add(str(i), text) for i, text in enumerate(texts)))
    return computed[0], computed[1]
