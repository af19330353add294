"""The right values of lab 4's numeric questions, and the values that known mistakes lead to.

The paging half is plain arithmetic and a cache kept as one list of labels; nothing is taken from
`solutions/paged_cache.py`. The timing half reckons with the simulated device's own times. `tests/lab` computes all
of it again by other code.

Tolerances. The notebook asks for four decimals of a share, so rounding moves it by less than 0.0001. A count is exact.
"""

from __future__ import annotations

import functools
import random
import statistics
from collections.abc import Callable
from fractions import Fraction

from llmlab.devices.simulated import factor, simulated
from llmlab.grading.answers import Key

EXACT = 0.25
SLOTS, STEPS = 4_096, 300


def samples_blocks() -> dict[str, Key]:
    """One prompt of 1,000 tokens, 8 samples of 205, blocks of 16."""
    size, prompt, samples, answer = 16, 1_000, 8, 205

    def up(n: int) -> int:
        return -(-n // size)

    whole = prompt // size  # full blocks are shared for good
    tail = prompt - whole * size
    return {"samples-blocks": Key(whole + samples * up(tail + answer), EXACT, {
        "shares-nothing": (samples * up(prompt + answer), "Those are the blocks without sharing."),
        "shares-the-partial-block": (
            up(prompt) + samples * up(answer),
            "The half-full block cannot stay shared: everybody writes into it, so each has one of its own."),
        "forgets-the-tail": (whole + samples * up(answer), "The last 8 tokens of the prompt are in nobody's block."),
        "one-sample": (up(prompt + answer), "That is one sample alone."),
    })}


def waste_share() -> dict[str, Key]:
    """Blocks of 128, one sequence of each length 1 .. 2,048."""
    def share(size: int, per: str = "allocated") -> float:
        wasted, filled = Fraction(size - 1, 2), Fraction(2_049, 2)
        return float(wasted / (wasted + filled if per == "allocated" else filled))

    return {"waste-share": Key(share(128), 0.0006, {
        "share-of-filled": (share(128, "filled"),
                            "That is waste over filled slots; the question asks for allocated ones."),
        "blocks-of-16": (share(16), "That is the share with blocks of 16."),
        "whole-block": (float(Fraction(128) / (128 + Fraction(2_049, 2))),
                        "Not a whole block is wasted for each sequence, but what its last one lacks."),
        "filled-share": (1 - share(128), "That is the share that is filled."),
    })}


def requests() -> list[tuple[int, int]]:
    """(prompt, answer) of the notebook's requests."""
    draw = random.Random(0)
    return [(draw.randint(5, 60), min(450, 1 + int(draw.expovariate(1 / 120)))) for _ in range(800)]


def refusals(reserve: Callable[[int, int], int]) -> tuple[int, int]:
    """Steps after which the first in line finds no gap: (with enough free slots in total, all)."""
    line, live, enough, all_of_them = requests(), {}, 0, 0  # live: start -> [size, tokens to come]
    for _ in range(STEPS):
        while True:
            need, ends = reserve(*line[0]), [0, *(start + size for start, (size, _) in live.items())]
            borders = [*live, SLOTS]
            free = sorted(end for end in ends if min(b for b in borders if b >= end) - end >= need)
            if not free:
                break
            live[free[0]] = [need, line.pop(0)[1]]
        all_of_them += 1
        enough += SLOTS - sum(size for size, _ in live.values()) >= need
        for one in live.values():
            one[1] -= 1
        live = {start: one for start, one in live.items() if one[1] > 0}
    return enough, all_of_them


def refused_with_room() -> dict[str, Key]:
    enough, all_of_them = refusals(lambda prompt, answer: prompt + answer)
    return {"refused-with-room": Key(enough, EXACT, {
        "counts-every-refusal": (all_of_them, "Every refusal was counted, also those for want of memory."),
        "counts-want-of-memory": (all_of_them - enough,
                                  "Those are the steps without enough free memory; count the others."),
        "longest-for-everybody": (refusals(lambda prompt, answer: 512)[0],
                                  "That is with 512 slots for everybody; take what a request needs."),
    })}


def conversations() -> list[tuple[int, int, int]]:
    """(user, tokens of the message, tokens of the answer), in the order in which they come."""
    draw = random.Random(7)
    return [(draw.randrange(6), draw.randint(10, 50), draw.randint(20, 60)) for _ in range(30)]


def computed(blocks: int, size: int = 16, hit: Callable[[int], int] = lambda n: n, left: int = 1) -> int:
    """Prompt tokens to compute: blocks are labels, the text up to their end, in the order in which they were freed."""
    free: list[tuple | None] = [None] * blocks
    texts: dict[int, list[int]] = {}
    total = 0
    for user, message, answer in conversations():
        old = texts.get(user, [*range(48)])
        text = old + [1_000_000 * (user + 1) + len(old) + i for i in range(message)]
        table: list[tuple | None] = []
        while (len(table) + 1) * size <= len(text) - left and tuple(text[:(len(table) + 1) * size]) in free:
            table.append(free.pop(free.index(tuple(text[:(len(table) + 1) * size]))))
        total += len(text) - hit(len(table) * size)
        text += [2_000_000 + len(text) + i for i in range(answer)]
        while len(table) * size < len(text):
            free.pop(0)
            end = (len(table) + 1) * size
            label = tuple(text[:end]) if end <= len(text) else None
            table.append(None if label in free else label)
        free += table[::-1]
        texts[user] = text
    return total


def chat_computed() -> dict[str, Key]:
    right, everything = computed(64), computed(64, hit=lambda n: 0)
    return {"chat-computed": Key(right, EXACT, {
        "no-prefix-cache": (everything, "That is without a prefix cache: pass prefix_caching=True."),
        "cached-instead": (everything - right,
                           "Those are the tokens that were cached; the question asks for the others."),
        "memory-without-end": (computed(4_096),
                               "That is with a pool so large that nothing is evicted; take 64 blocks."),
        "blocks-of-32": (computed(32, size=32), "That is with 32 blocks of 32; take 64 of 16."),
    })}


# --- the timing half -------------------------------------------------------------------------------------------------

LUCK = (0.1, 0.04, 2)
"""Jitter, share of stragglers and slow first executions of the device in question timer-median."""
TIMER_SEED, GRAPH_SEED = 46, 12
SMALL = ["norm", "add", "activation", "add"] * 25
MS_FOR_S = "The milliseconds were used as seconds."


def timer_median() -> dict[str, Key]:
    """Median of 21 flushed runs after 3: execution n takes 140 us from memory, 64 from L2, times its luck."""
    luck = [factor(TIMER_SEED, n, *LUCK) for n in range(24)]
    cold, warm = ([us * x for x in luck[3:]] for us in (140.0, 64.0))
    early = [140 * luck[0] + 40_000 - 75, *(140 * x for x in luck[1:21])]
    right = statistics.median(cold)
    return {"timer-median": Key(right, 0.1, {
        "forgets-the-flush": (statistics.median(warm),
                              "That is the time with the data in L2: flush before each repeat."),
        "mean-for-median": (statistics.fmean(cold), "That is the mean. Stragglers move it; take the median."),
        "times-the-flush": (80 + right, "The flush of 80 us was timed too."),
        "counts-the-warm-up": (statistics.median(early), "The warm-up is among the times."),
        "milliseconds": (right / 1e3, "That is in milliseconds; the question asks for microseconds."),
        "times-the-launch": (5.0, "That is the time of a launch. Wait for the device before you stop the clock."),
        "minimum-for-median": (min(cold), "That is the shortest time, not the median."),
    })}


def small_step(launch_us: float, graph: bool, skip: int = 3, repeats: int = 20) -> float:
    """Median milliseconds of the step of 100 small kernels, asked of the device call by call."""
    device = simulated(GRAPH_SEED, launch_us=launch_us)
    captured = None
    if graph:
        for work in SMALL:
            device.run(work)
        captured = device.capture(SMALL)
    marks = []
    for _ in range(skip + repeats):
        if graph and len(marks) < skip:
            device.replay(captured)  # warm-up
            marks.append(None)
            continue
        device.flush()
        start = device.record()
        if graph:
            device.replay(captured)
        else:
            for work in SMALL:
                device.run(work)
        marks.append((start, device.record()))
        if not graph:
            device.synchronize()
    device.synchronize()
    return statistics.median(device.elapsed(*pair) for pair in marks[skip:])


def graph_gain() -> dict[str, Key]:
    """How many times faster the replay is."""
    eager, replay = small_step(10.0, False), small_step(10.0, True)
    return {"graph-gain": Key(eager / replay, 0.01, {
        "inverted": (replay / eager, "The quotient is upside down: one by one over graph."),
        "default-launch": (small_step(5.0, False) / small_step(5.0, True),
                           "That is with launches of 5 us; this device has launch_us=10."),
        "difference": (eager - replay, "That is the difference in milliseconds; the question asks for the quotient."),
        "saved-share": (1 - replay / eager, "That is the share that is saved; the question asks for the quotient."),
    })}


def roof_share() -> dict[str, Key]:
    """Attention of 16 sequences, 32 query heads, 8 key heads of 128, 4,096 tokens, 2 bytes, in 0.115 ms."""
    batch, heads, kv, dim, context, seconds = 16, 32, 8, 128, 4_096, 0.115e-3
    peak, width = 989e12, 3.35e12
    flops = 4 * batch * heads * dim * context

    def share(cache_heads: int, parts: int = 2, vectors: int = 2 * heads, work: float = flops) -> float:
        moved = 2 * batch * dim * (parts * cache_heads * context + vectors)
        return work / seconds / min(peak, work / moved * width)

    right = share(kv)
    return {"roof-share": Key(right, 0.001, {
        "share-of-peak": (flops / seconds / peak, "That is the share of the peak FLOP/s, not of the roof."),
        "query-heads-for-cache": (share(heads), "The cache was counted for 32 heads; it has 8."),
        "keys-only": (share(kv, parts=1),
                      "Half of the bytes are missing: keys and values are read, 2 bytes each number."),
        "share-in-percent": (100 * right, "That is in percent; the question asks for a share."),
        "milliseconds-for-seconds": (right / 1e3, MS_FOR_S),
    })}


def step_mbu() -> dict[str, Key]:
    """26 GB of weights; 12 caches of 1,000 tokens, 40 layers, 40 key heads of 128, 2 bytes; 15.2 ms; 3,350 GB/s."""
    params, one = 26e9, 2 * 40 * 40 * 128 * 2 * 1_000
    cache, seconds, width = 12 * one, 15.2e-3, 3_350e9
    right = (params + cache) / seconds / width
    return {"step-mbu": Key(right, 0.001, {
        "forgets-the-cache": (params / seconds / width, "The caches were not counted."),
        "one-sequence-only": ((params + one) / seconds / width, "There are 12 caches, one for each sequence."),
        "keys-only": ((params + cache / 2) / seconds / width, "Keys and values are both read."),
        "gib-for-gb": (right * 10**9 / 2**30, "1 GB on a data sheet is 10**9 bytes, not 2**30."),
        "weights-per-sequence": ((12 * params + cache) / seconds / width,
                                 "The weights are read once for the whole batch."),
        "share-in-percent": (100 * right, "That is in percent; the question asks for a share."),
    })}


def perfect_mfu() -> dict[str, Key]:
    """MFU of 64 sequences with 2,048 tokens each: Llama-2-7B on an H100 that reads at full bandwidth."""
    params, batch = 6_738_415_616, 64
    cache = 2 * 32 * 32 * 128 * 2 * 2_048

    def share(flops: float, moved: float) -> float:
        return flops / (moved / 3.35e12) / 989e12

    moved = 2 * params + batch * cache
    right = share(2 * params * batch, moved)
    return {"perfect-mfu": Key(right, 0.0006, {
        "training-flops": (3 * right, "6 FLOPs for each parameter and token include the backward pass; here 2."),
        "ignores-the-cache": (share(2 * params * batch, 2 * params), "The caches are read too, and take time."),
        "one-cache": (share(2 * params * batch, 2 * params + cache), "Each of the 64 sequences has a cache."),
        "ignores-tokens": (right / batch, "A step makes 64 tokens, one for each sequence."),
        "share-in-percent": (100 * right, "That is in percent; the question asks for a share."),
        "utilisation-of-bandwidth": (1.0, "That is the MBU of this step. The question asks for its MFU."),
    })}


def timing_answers() -> dict[str, Key]:
    """Those of the second half."""
    return {**timer_median(), **graph_gain(), **roof_share(), **step_mbu(), **perfect_mfu()}


@functools.cache
def answers() -> dict[str, Key]:
    """Question id -> key."""
    return {**samples_blocks(), **waste_share(), **refused_with_room(), **chat_computed(), **timing_answers()}
