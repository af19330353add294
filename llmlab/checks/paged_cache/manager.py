"""Checks of BlockManager: how its cases are made and judged. The stories are in `tales`, the oracle in
`oracle`.

The manager works on an allocator of the trusted side, so a mistake in BlockAllocator costs nothing here; only
the stories about a pool that is used up run on the student's own one, because there the kind of the exception
matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llmlab.checks.compare import raised
from llmlab.checks.paged_cache import stories
from llmlab.checks.paged_cache.oracle import World
from llmlab.checks.paged_cache.stories import Line, Story
from llmlab.checks.paged_cache.trusted import DOUBLE_FREE, allocator
from llmlab.checks.protocol import PASS, Case, Do, Event, Handle, New, Output, Raised, Task, Verdict

TASK = "paged_cache.BlockManager"
TABLES, FORKS, REFUSED = "tables that grow", "forks and copy-on-write", "out of blocks, and other refusals"
HITS, EVICTED, WALK = "prefix cache: hits", "prefix cache: eviction", "a random walk, checked after every step"
TASKS = (Task(TASK, "lab4", "keep a block table for each sequence: add, append, fork, free, and share prefixes",
              {TABLES: 2, FORKS: 3, REFUSED: 2, HITS: 3, EVICTED: 2, WALK: 2},
              "part3/paged-cache.html#sec-block-manager"),)


class Tale:
    """A story whose every call is followed by a snapshot, and judged by a `World` too.

    `after` has one entry for each line: what the tables and the free list must be then, as far as the story
    says it.
    """

    def __init__(self, num_blocks: int, block_size: int, caching: bool, lines: Sequence[Line],
                 after: Sequence[dict]):
        self.shape, self.lines, self.after = (num_blocks, block_size, caching), tuple(lines), tuple(after)


def line(method: str, *args, want=stories.ANY, wrong: Sequence[tuple] = (), otherwise=("", ""),
         **after) -> tuple[Line, dict]:
    """A call and what holds after it: free=[...] for the free list, tables={...} for all tables."""
    return Line(method, args, want, wrong, otherwise), after


def tale(group: str, num_blocks: int, block_size: int, caching: bool, told: Sequence[tuple[Line, dict]],
         title: str = "") -> Case:
    """One case on a trusted allocator."""
    lines = [one for one, _ in told]
    steps = [New("m", "BlockManager", (allocator(num_blocks), block_size, caching))]
    for one in lines:
        steps += [Do("m", one.method, one.args), Do("m", "snapshot")]
    shown = title or "; ".join(one.text() for one in lines)
    made = f"BlockManager(allocator of {num_blocks} blocks, {block_size}, {caching})"
    return Case(TASK, group, tuple(steps), Tale(num_blocks, block_size, caching, lines,
                                                [after for _, after in told]),
                f"{made}: {shown if len(shown) < 300 else f'{shown[:297]}...'}")


def refusals(name: str, num_blocks: int, block_size: int, caching: bool, *lines: Line) -> list[Case]:
    """A story on the student's own allocator, which may raise and go on."""
    make = [New(f"{name}-blocks", "BlockAllocator", (num_blocks,)),
            New(name, "BlockManager", (Handle(f"{name}-blocks"), block_size, caching))]
    return stories.told(TASK, REFUSED, name, make, lines,
                        f"BlockManager(BlockAllocator({num_blocks}), {block_size}, {caching})")


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Judge by `case.expect`: a `Tale`, or a `Story` on the student's own allocator."""
    if isinstance(case.expect, Story):
        return stories.judge(case.expect, outputs)
    told = case.expect
    if isinstance(outputs[0], Raised):
        return raised(outputs[0])
    world = World(*told.shape, ordered=case.group == EVICTED)
    for i, (one, after) in enumerate(zip(told.lines, told.after)):
        pair = outputs[1 + 2 * i:3 + 2 * i]
        verdict = one_call(one, after, pair, world)
        if not verdict.ok:
            said = "; ".join(earlier.text() for earlier in told.lines[max(0, i - 8):i])
            dots = "...; " if i > 8 else ""
            return replace(verdict, message=f"{one.text()}{f', after {dots}{said},' if i else ''}: "
                                            f"{verdict.message}")
    return PASS


def one_call(one: Line, after: dict, pair: Sequence[Output], world: World) -> Verdict:
    """The verdict on one call and the snapshot behind it."""
    bad = next((output for output in pair if isinstance(output, Raised)), None)
    if bad:
        if DOUBLE_FREE in bad.message:
            return Verdict(False, f"{bad.message}: its user freed it twice, or had never taken it.",
                           misconception="frees-twice")
        return raised(bad)
    value, snapshot = pair[0].value, pair[1].value
    name = next(((name, words) for known, name, words in one.wrong if stories.same(value, known)), None)
    found = world.step(one.method, one.args, value, snapshot)
    if found:
        return Verdict(False, found[1], got=f"{value!r}, tables {_tables(snapshot)}", misconception=found[0])
    if name:
        return Verdict(False, name[1], repr(one.want), repr(value), name[0])
    if one.want is not stories.ANY and not stories.same(value, one.want):
        return Verdict(False, one.otherwise[1] or "it gave something else.", repr(one.want), repr(value),
                       one.otherwise[0])
    for key, want in after.items():
        alike = stories.same if world.ordered or key != "free" else stories.same_blocks
        if not alike(snapshot[key], want):
            return Verdict(False, f"{'the free list' if key == 'free' else f'the {key}'} should be another.",
                           f"{key} {want}",
                           f"{key} {snapshot[key]}")
    return PASS


def _tables(snapshot) -> str:
    text = str(snapshot.get("tables")) if isinstance(snapshot, dict) else ""
    return text if len(text) < 200 else f"{text[:197]}..."
