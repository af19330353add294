"""Checks of slot_mapping and usage: plain arithmetic on block tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from llmlab.checks.compare import mutation, show, value_of
from llmlab.checks.judging import Expect, Refuse
from llmlab.checks.judging import judge as judge_tensor
from llmlab.checks.paged_cache.stories import same
from llmlab.checks.protocol import Call, Case, Event, Output, Task, Verdict

SLOTS, USAGE = "paged_cache.slot_mapping", "paged_cache.usage"
WHERE, OUTSIDE = "slots", "positions outside of the table"
APART, SHARED = "blocks of one sequence", "shared blocks"
TASKS = (
    Task(SLOTS, "lab4", "say into which slots the K and V of some positions go", {WHERE: 2, OUTSIDE: 1},
         "part3/paged-cache.html#sec-slot-mapping"),
    Task(USAGE, "lab4", "count the slots that are allocated, filled and wasted", {APART: 1, SHARED: 2},
         "part3/waste.html#sec-usage"),
)
Rule = Callable[[list[int], int, int], int]
WRONG_SLOTS: dict[str, tuple[Rule, str]] = {
    "ignores-table": (lambda table, i, size: i,
                      "The positions came back as slots, as in a contiguous cache. The table says which block they "
                      "lie in."),
    "forgets-offset": (lambda table, i, size: table[i // size] * size,
                       "Every position of a block got its first slot: add the offset i % block_size."),
    "forgets-block-size": (lambda table, i, size: table[i // size] + i % size,
                           "A block has block_size slots: block b begins at slot b * block_size."),
    "adds-position": (lambda table, i, size: table[i // size] * size + i,
                      "The whole position was added to the start of the block. The offset within the block is i % "
                      "block_size."),
    "swaps-quotient-and-remainder": (lambda table, i, size: table[(i % size) % len(table)] * size + i // size,
                                     "Quotient and remainder were swapped: i // block_size picks the block, i % "
                                     "block_size the slot in it."),
}


def slot(table: list[int], i: int, size: int) -> int:
    """The slot of position i, by counting through the table."""
    block = 0
    while i >= size:
        i, block = i - size, block + 1
    return sum(1 for _ in range(table[block]) for _ in range(size)) + i


def slot_case(group: str, table: list[int], first: int, count: int, size: int, why: str = "") -> Case:
    """One call of slot_mapping."""
    def outcome(rule: Rule, start: int = first) -> torch.Tensor:
        return torch.tensor([rule(table, i, size) for i in range(start, start + count)], dtype=torch.int64)

    wrong = {name: (outcome(rule), words) for name, (rule, words) in WRONG_SLOTS.items()}
    if first + count <= len(table) * size and first:
        wrong["starts-at-zero"] = (outcome(slot, 0), "These are the slots of the first positions: the first one "
                                                     "asked for is `first`.")
    return Case(SLOTS, group, (Call("slot_mapping", (table, first, count, size)),),
                Expect(outcome(slot), wrong, why=why))


def used(tables: Sequence[Sequence[int]], lengths: Sequence[int], size: int) -> dict[str, int]:
    """What `usage` must give, by writing down every slot that a token lies in."""
    taken = {slot(list(table), i, size) for table, length in zip(tables, lengths,
                                                                 strict=True) for i in range(length)}
    blocks = {block for table in tables for block in table}
    return {"tokens": sum(lengths), "allocated": len(blocks) * size, "filled": len(taken),
            "wasted": len(blocks) * size - len(taken)}


def wrong_usages(tables, lengths, size: int) -> list[tuple[dict[str, int], str, str]]:
    right = used(tables, lengths, size)
    entries = sum(map(len, tables)) * size

    def other(**values: int) -> dict[str, int]:
        new = right | values
        return new | {"wasted": new["allocated"] - new["filled"]} if "wasted" not in values else new

    return [
        (other(filled=right["allocated"]), "reserved-as-used", "All slots of the blocks were counted as filled. A "
                                                               "block is reserved as a "
         "whole, and filled token by token."),
        (other(allocated=entries, filled=right["tokens"]), "counts-shared-twice", "A shared block was counted once "
                                                                                  "for each table that "
         "it is in. It is there once."),
        (other(allocated=entries), "counts-shared-twice", "A shared block was counted once for each table that it "
                                                          "is in. It is there once."),
        (other(filled=right["tokens"]), "counts-shared-tokens-twice", "The tokens in a shared block were counted "
                                                                      "once for each sequence. "
         "They are there once."),
        (other(filled=right["tokens"], wasted=right["allocated"] - right["filled"]), "counts-shared-tokens-twice",
         "The tokens in a shared block "
         "were counted once for each sequence. They are there once."),
        (other(tokens=right["filled"]), "tokens-after-sharing", "'tokens' is what the sequences would fill without "
                                                                "sharing: the sum of "
         "their lengths."),
        ({**right, "allocated": right["allocated"] // size, "wasted": right["wasted"]}, "counts-blocks",
         "'allocated' counts slots, not blocks."),
        ({**right, "allocated": right["allocated"] // size, "wasted": right["allocated"] // size - right["filled"]},
         "counts-blocks",
         "'allocated' counts slots, not blocks."),
    ]


def usage_case(group: str, tables: list[list[int]], lengths: list[int], size: int) -> Case:
    """One call of usage."""
    return Case(USAGE, group, (Call("usage", (tables, lengths, size)),),
                (used(tables, lengths, size), wrong_usages(tables, lengths, size)))


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(43_000 + seed)
    made = [slot_case(WHERE, [7, 2], 3, 3, 4), slot_case(WHERE, [5, 0, 9, 3], 0, 16, 4),
            slot_case(WHERE, [4, 4 + 1, 1], 5, 1, 2),
            slot_case(WHERE, [3, 8], 2, 0, 4, "no positions"), slot_case(WHERE, [6], 1, 1, 16)]
    table = torch.randperm(40, generator=generator)[:6].tolist()
    first = 3 + int(torch.randint(20, (), generator=generator))
    made.append(slot_case(WHERE, table, first, 14, 7))
    for args, names in ((([7, 2], 6, 3, 4), "8"), (([7, 2], -1, 2, 4), "-1"), (([], 0, 1, 4), "0")):
        made.append(Case(SLOTS, OUTSIDE, (Call("slot_mapping", args),), Refuse(names)))
    made += [usage_case(APART, [[3, 0]], [5], 4), usage_case(APART, [[1], [0, 2, 4]], [4, 9], 4),
             usage_case(APART, [], [], 4),
             usage_case(SHARED, [[0, 1], [0, 2]], [3, 4], 2),
             usage_case(SHARED, [[0, 1], [0, 1], [0, 1]], [6, 6, 6], 4),
             usage_case(SHARED, [[5, 1, 2], [5, 1], [5]], [9, 8, 4], 4)]
    prompt = torch.randperm(50, generator=generator).tolist()
    ends = torch.randint(1, 9, (4,), generator=generator).tolist()
    tables = [prompt[:3] + prompt[4 * i + 8:4 * i + 8 + -(-end // 4)] for i, end in enumerate(ends)]
    return made + [usage_case(SHARED, tables, [12 + end for end in ends], 4)]


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """A tensor of slots, or the four counts."""
    if case.task == SLOTS:
        return judge_tensor(case, outputs, events)
    value, bad = value_of(outputs[-1])
    if bad:
        return bad
    right, known = case.expect
    if same(value, right):
        return mutation(outputs[-1])
    if not isinstance(value, dict) or value.keys() != right.keys():
        return Verdict(False, f"Expected a dict with the keys {', '.join(right)}.", show(right), show(value))
    for wrong, name, words in known:
        if same(value, wrong):
            return Verdict(False, words, show(right), show(value), name)
    keys = ", ".join(repr(key) for key in right if not same(value[key], right[key]))
    return Verdict(False, f"{keys} should be another number of slots.", show(right), show(value))
