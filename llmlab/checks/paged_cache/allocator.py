"""Checks of BlockAllocator: stories with literal block ids, told by hand, and a random walk over a plain
list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from llmlab.checks.paged_cache import stories
from llmlab.checks.paged_cache.stories import Line
from llmlab.checks.paged_cache.trusted import Pool
from llmlab.checks.protocol import Case, Event, New, Output, Task, Verdict

TASK = "paged_cache.BlockAllocator"
ORDER, COUNTS, REFUSED = "the free list", "reference counts", "double free and out of blocks"
TASKS = (Task(TASK, "lab4", "hand out block ids from a queue and count the users of each",
              {ORDER: 2, COUNTS: 2, REFUSED: 2}, "part3/paged-cache.html#sec-block-allocator"),)

STACK = ("last-freed-first", "The block that was freed last was handed out first. The free list is a queue: freed "
                             "blocks go "
         "to its end, and the one that has been free for the longest time is used first.")
LOWEST = ("lowest-id-first", "The smallest free id was handed out. The free list is a queue: freed blocks go to "
                             "its end.")
TWICE = ("hands-out-twice", "This block has a user already: it was handed out a second time.")
SHARED_FREED = ("frees-shared-block", "One of two users freed the block, and it went to the free list, while the "
                                      "other one "
                "still reads it. Only the last user's free puts it there.")
STAYS_FREE = ("shared-block-stays-free", "A free block was shared and is in use again, but it is still on the free "
                                         "list: it "
              "will be handed out, and its content overwritten.")
DOUBLE = ("accepts-double-free", "a block that is free was freed again, and nothing was said. It would get on the "
                                 "free list "
          "twice, and two sequences would write into it.")
NEGATIVE = ("accepts-negative-id", "block -1 was accepted: a list counts a negative index from its end, so another "
                                   "block was "
            "meant than the one that exists.")
HALF = ("changes-before-raising", "the call raised, but it had changed something by then.")


def wrong(value, named: tuple[str, str]) -> tuple:
    return (value, *named)


def story(group: str, num_blocks: int, *lines: Line) -> list[Case]:
    """A story about a new allocator. Where a block is taken, one that is in use already is wrong by name."""
    name, pool, known = f"blocks{num_blocks}", Pool(num_blocks), []
    for line in lines:
        if line.method == "allocate" and not line.refuses:
            twice = [wrong(block, TWICE) for block, users in enumerate(pool.users) if users]
            line = replace(line, wrong=[*line.wrong, *twice])
        if not line.refuses:
            getattr(pool, line.method)(*line.args)
        known.append(line)
    return stories.told(TASK, group, name, [New(name, "BlockAllocator", (num_blocks,))], known,
                        f"blocks = BlockAllocator({num_blocks})")


def take(block: int, *known) -> Line:
    return Line("allocate", (), block, known)


def free(block: int) -> Line:
    return Line("free", (block,))


def share(block: int) -> Line:
    return Line("share", (block,))


def listed(blocks: list[int], *known, otherwise=("", "")) -> Line:
    return Line("free_blocks", (), blocks, known, otherwise)


def inside(blocks: list[int], *known, otherwise=("", "")) -> Line:
    """The free list, in any order: a mistake in the order costs the points of the order alone."""
    return Line("free_blocks", (), blocks, known, otherwise, unordered=True)


def counted(block: int, users: int, *known) -> Line:
    return Line("ref_count", (block,), users, known)


def order_stories() -> list[Case]:
    return [
        *story(ORDER, 3, take(0, wrong(2, STACK)), take(1), take(2), free(2), free(0), free(1),
               take(2, wrong(1, STACK), wrong(0, LOWEST)), take(0), take(1), Line("num_free", (), 0)),
        *story(ORDER, 4, listed([0, 1, 2, 3]), take(0, wrong(3, STACK)), take(1), take(2), free(1),
               listed([3, 1], wrong([1, 3], STACK)), take(3, wrong(1, STACK)), take(1), listed([])),
    ]


def count_stories() -> list[Case]:
    return [
        *story(COUNTS, 4, take(0), share(0), counted(0, 2), free(0), counted(0, 1),
               inside([1, 2, 3], wrong([1, 2, 3, 0], SHARED_FREED)),
               free(0), counted(0, 0), inside([1, 2, 3, 0])),
        *story(COUNTS, 3, take(0), take(1), free(0), free(1), inside([2, 0, 1]), share(0), counted(0, 1),
               inside([2, 1], wrong([2, 0, 1], STAYS_FREE)), Line("allocate"), Line("allocate"), inside([]),
               free(0), inside([0])),
        *story(COUNTS, 2, take(0), share(0), share(0), free(0), free(0), counted(0, 1),
               inside([1], wrong([1, 0], SHARED_FREED), wrong([1, 0, 0], SHARED_FREED)), take(1, wrong(0, TWICE))),
    ]


def refusal_stories() -> list[Case]:
    empty = Line("allocate", (), refuses=("OutOfBlocks",),
                 otherwise=("hands-out-twice", "every block is in use, and still one was handed out."))
    return [
        *story(REFUSED, 2, take(0), take(1), empty, inside([], otherwise=HALF), counted(0, 1), free(0), take(0)),
        *story(REFUSED, 3, take(0), free(0),
               Line("free", (0,), refuses=("ValueError",), names="0", otherwise=DOUBLE),
               inside([1, 2, 0], wrong([1, 2, 0, 0], DOUBLE), otherwise=HALF), counted(0, 0, wrong(-1, HALF))),
        *story(REFUSED, 3, Line("free", (2,), refuses=("ValueError",), names="2", otherwise=DOUBLE),
               inside([0, 1, 2], otherwise=HALF)),
        *story(REFUSED, 5, take(0), take(1), take(2), take(3), take(4),
               Line("free", (-1,), refuses=("ValueError",), names="-1", otherwise=NEGATIVE),
               Line("share", (-2,), refuses=("ValueError",), names="-2", otherwise=NEGATIVE),
               Line("free", (5,), refuses=("ValueError",), names="5"),
               Line("share", (9,), refuses=("ValueError",), names="9"), inside([], otherwise=HALF)),
    ]


def walk(generator: torch.Generator, group: str, num_blocks: int, steps: int) -> list[Case]:
    """Random calls that are all allowed, beside two plain lists that say what must come out."""
    pool, lines = Pool(num_blocks), []
    for _ in range(steps):
        used = [block for block, users in enumerate(pool.users) if users]
        what = int(torch.randint(5, (), generator=generator))
        if pool.queue and (what <= 1 or not used):
            fresh = pool.allocate()
            lines.append(Line("allocate", (), fresh))
        elif what == 2:
            block = int(torch.randint(num_blocks, (), generator=generator))
            pool.share(block)
            lines.append(Line("share", (block,)))
        elif used:
            block = used[int(torch.randint(len(used), (), generator=generator))]
            pool.free(block)
            lines.append(Line("free", (block,)))
        lines.append(Line("free_blocks", (), pool.free_blocks()))
    lines.append(Line("ref_counts", (), pool.ref_counts()))
    return story(group, num_blocks, *lines)


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(41_000 + seed)
    return (order_stories() + walk(generator, ORDER, 6, 40) + walk(generator, ORDER, 7, 40) + count_stories()
            + refusal_stories())


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """The first call that gives something else decides."""
    return stories.judge(case.expect, outputs)
