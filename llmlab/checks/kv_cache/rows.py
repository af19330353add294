"""Checks of changed_rows: which tokens' rows of an activation moved. The oracle compares number by number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from llmlab.checks.compare import mutation, show, value_of
from llmlab.checks.protocol import Call, Case, Event, Output, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

TASK = "kv_cache.changed_rows"
GROWN, SCORES = "a text that grew", "heads, scores and tolerance"
TASKS = (
    Task(
        TASK,
        "lab3",
        "tell which rows of an activation changed when a token was appended",
        {GROWN: 2, SCORES: 2},
        "part3/kv-cache.html#sec-changed-rows",
    ),
)
Rule = Callable[[Tensor, Tensor, float], list[int]]


def number_by_number(before: Tensor, after: Tensor, tolerance: float) -> list[int]:
    """The oracle: rows of a (R, T, C) and a (R, T', C') tensor, missing columns 0, missing rows changed."""
    found = []
    for row in range(after.shape[1]):
        old = row < before.shape[1]
        pairs = [
            (before[r, row, c].item() if old and c < before.shape[2] else 0.0, after[r, row, c].item())
            for r in range(after.shape[0])
            for c in range(after.shape[2])
        ]
        if not old or any(abs(a - b) > tolerance for a, b in pairs):
            found.append(row)
    return found


def cut(after: Tensor, before: Tensor) -> Tensor:
    return after[:, : before.shape[1], : before.shape[2]]


WRONG: dict[str, tuple[Rule, str]] = {
    "leaves-out-new-rows": (
        lambda b, a, t: [r for r in number_by_number(b, a, t) if r < b.shape[1]],
        "The rows that were not there before are missing. They count as changed.",
    ),
    "unchanged-rows": (
        lambda b, a, t: [r for r in range(a.shape[1]) if r not in number_by_number(b, a, t)],
        "Those are the rows that did not change.",
    ),
    "ignores-new-columns": (
        lambda b, a, t: number_by_number(b, cut(a, b), t) + list(range(b.shape[1], a.shape[1])),
        "Only the columns that were there before were compared. A new column counts as changed from 0.",
    ),
    "ignores-tolerance": (
        lambda b, a, t: number_by_number(b, a, 0.0),
        "Rounding was taken for a change: a difference up to the tolerance is none.",
    ),
    "first-head-only": (
        lambda b, a, t: number_by_number(b[:1], a[:1], t),
        "Only the first sequence or head was looked at.",
    ),
    "rows-must-change-everywhere": (
        lambda b, a, t: [
            r
            for r in range(a.shape[1])
            if r >= b.shape[1] or bool(((a[:, r, : b.shape[2]] - b[:, r]).abs() > t).all())
        ],
        "A row was listed only if all its numbers changed. One is enough.",
    ),
    "signed-difference": (
        lambda b, a, t: [
            r
            for r in range(a.shape[1])
            if r >= b.shape[1]
            or bool(((a[:, r, : b.shape[2]] - b[:, r]) > t).any())
            or bool((a[:, r, b.shape[2] :] > t).any())
        ],
        "Only numbers that grew were noticed. Take the absolute difference.",
    ),
}


def row_case(group: str, before: Tensor, after: Tensor, tolerance: float | None = None) -> Case:
    """One call; leading dimensions are flattened for the oracle."""
    used = 1e-5 if tolerance is None else tolerance
    flat = [t.reshape(-1, *t.shape[-2:]) for t in (before, after)]
    right = number_by_number(*flat, used)
    wrong = [(name, rule(*flat, used), words) for name, (rule, words) in WRONG.items()]
    given = (before, after) if tolerance is None else (before, after, tolerance)
    return Case(TASK, group, (Call("changed_rows", given),), (right, [w for w in wrong if w[1] != right]))


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Row numbers as a list, or as anything that lists them."""
    value, bad = value_of(outputs[-1])
    if bad:
        return bad
    right, wrong = case.expect
    if isinstance(value, Tensor):
        value = value.tolist()
    if not isinstance(value, list | tuple) or not all(type(row) is int for row in value):
        return Verdict(False, "The result should be a list of row numbers.", show(right), show(value))
    got = list(value)
    if got == right:
        return mutation(outputs[-1])
    for name, rows, words in wrong:
        if got == rows:
            return Verdict(False, words, show(right), show(got), name)
    return Verdict(False, "Other rows changed.", show(right), show(got))


def grown(
    generator: torch.Generator,
    shape: tuple[int, ...],
    new: int,
    moved: Sequence[int],
    columns: int = 0,
    size: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """An activation, and the same with `new` rows and `columns` more.

    In each `moved` row one number of the last head is larger by `size`; if that is negative, all numbers
    change by it.
    """
    before = torch.randn(*shape, generator=generator)
    after = torch.randn(*shape[:-2], shape[-2] + new, shape[-1] + columns, generator=generator)
    after[..., : shape[-2], :] = 0
    after[..., : shape[-2], : shape[-1]] = before
    flat = after.view(-1, *after.shape[-2:])
    for row in moved:
        if size < 0:
            flat[:, row, : shape[-1]] += size
        else:
            flat[-1, row, int(torch.randint(shape[-1], (), generator=generator))] += size
    return before, after


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(41_000 + seed)
    made = [
        row_case(GROWN, *grown(generator, shape, new, moved, size=size))
        for shape, new, moved, size in (
            ((5, 3), 1, (), 1.0),
            ((4, 6), 1, (0, 2), -0.5),
            ((6, 2), 3, (5,), 0.5),
            ((3, 4), 0, (1,), 0.5),
        )
    ]
    made.append(row_case(SCORES, *grown(generator, (2, 3, 5, 4), 1, (1, 4))))
    before, after = grown(generator, (2, 4, 4), 1, (2,), columns=1)
    after[0, 1, 4] = 0.25  # an old row that sees the new column
    made.append(row_case(SCORES, before, after))
    before, after = grown(generator, (5, 4), 1, (3,))
    made.append(row_case(SCORES, before, after + 1e-7))
    made.append(row_case(SCORES, *grown(generator, (5, 4), 1, (3,), size=0.05), 0.1))
    return made
