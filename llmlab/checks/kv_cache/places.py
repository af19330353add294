"""Checks of positions and attention_mask: what the past does to a new token's place and view. Oracles: "
"loops over columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from llmlab.checks.compare import show
from llmlab.checks.judging import Expect, Refuse
from llmlab.checks.judging import judge as judge_value
from llmlab.checks.protocol import Call, Case, Event, Output, Returned, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

READ = "part3/kv-cache.html#sec-"
PREFILL, DECODE, PADDED = "a whole prompt", "new tokens after a past", "left padding"
WINDOW, INVALID = "sliding window", "invalid window"
TASKS = (
    Task(
        "kv_cache.positions",
        "lab3",
        "continue positions where the past ended, without counting padding",
        {PREFILL: 1, DECODE: 2, PADDED: 3},
        READ + "positions",
    ),
    Task(
        "kv_cache.attention_mask",
        "lab3",
        "mask the future, the padding, and what lies before the window",
        {PREFILL: 1, DECODE: 3, PADDED: 2, WINDOW: 3, INVALID: 1},
        READ + "attention-mask",
    ),
)
Row = Sequence[int]


def left_padded(lengths: Sequence[int], columns: int) -> Tensor:
    """The mask of texts of these lengths: 0 on the left, 1 on the right."""
    return torch.tensor([[0] * (columns - n) + [1] * n for n in lengths])


def place(real: Row, column: int) -> int:
    """The oracle: real tokens before this column; 0 for padding."""
    return sum(real[:column]) if real[column] else 0


Place = Callable[[Row, int, int], int]
WRONG_PLACES: dict[str, tuple[Place, str]] = {
    "positions-restart-at-zero": (
        lambda r, c, n: place(r[len(r) - n :], c - len(r) + n),
        "Positions started at 0 again with the new tokens. They go on from the past.",
    ),
    "positions-count-padding": (
        lambda r, c, n: c,
        "Padding was counted: the first real token of each row has position 0.",
    ),
    "positions-start-at-one": (
        lambda r, c, n: sum(r[: c + 1]),
        "Every position is one too large: the first token has position 0.",
    ),
    "positions-negative-on-padding": (lambda r, c, n: sum(r[: c + 1]) - 1, "Padding got -1. It gets 0."),
    "positions-one-for-padding": (lambda r, c, n: place(r, c) if r[c] else 1, "Padding got 1. It gets 0."),
}


def place_case(group: str, real: Tensor, new: int) -> Case:
    """One call of positions."""
    rows, columns = real.tolist(), range(real.shape[1] - new, real.shape[1])
    right = torch.tensor([[place(row, c) for c in columns] for row in rows])
    wrong = {
        name: (torch.tensor([[rule(row, c, new) for c in columns] for row in rows]), words)
        for name, (rule, words) in WRONG_PLACES.items()
    }
    wrong["positions-first-row-for-all"] = (
        right[:1].expand_as(right),
        "All rows got the positions of the first one.",
    )
    wrong["positions-of-all-columns"] = (
        torch.tensor([[place(row, c) for c in range(len(row))] for row in rows]),
        "The positions of all columns came back; only the new ones are asked for.",
    )
    return Case("kv_cache.positions", group, (Call("positions", (real, new)),), Expect(right, wrong))


def sees(real: Row, query: int, column: int, window: int | None) -> bool:
    """The oracle: may the query of one column see another column?"""
    if column == query:
        return True
    return bool(column < query and real[column] and (window is None or query - column < window))


Sees = Callable[[Row, int, int, "int | None", int], bool]
CAUSAL: dict[str, tuple[Sees, str]] = {
    "mask-from-query-length": (
        lambda r, q, c, w, n: sees(r, q - len(r) + n, c, w),
        "The triangle was made of the new tokens alone, from the upper left corner: query 0 then sees "
        "column 0 only. "
        "The new queries are the last columns; start the triangle at the end of the past.",
    ),
    "mask-sees-future": (
        lambda r, q, c, w, n: bool(r[c]) if c > q else sees(r, q, c, w),
        "Later columns were left visible. A query sees no column after its own.",
    ),
    "mask-hides-itself": (
        lambda r, q, c, w, n: c != q and sees(r, q, c, w),
        "The query's own column was hidden. It sees it.",
    ),
    "mask-hides-past": (
        lambda r, q, c, w, n: c >= len(r) - n and sees(r, q, c, w),
        "The past was hidden: the columns before the new ones are visible too.",
    ),
    "mask-inverted": (
        lambda r, q, c, w, n: not sees(r, q, c, w),
        "The mask is inverted: True means that the column is seen.",
    ),
    "mask-padding-attended": (
        lambda r, q, c, w, n: sees([1] * len(r), q, c, w),
        "Padding was left visible. Only real tokens are seen.",
    ),
    "mask-empty-rows": (
        lambda r, q, c, w, n: sees(r, q, c, w) and bool(r[c]),
        "A padding query sees nothing: its softmax would be 0/0. It sees its own column.",
    ),
    "mask-padding-sees-all": (
        lambda r, q, c, w, n: sees(r, q, c, w) or not r[q],
        "Padding queries were shown everything. They see their own column.",
    ),
    "window-ignored": (lambda r, q, c, w, n: sees(r, q, c, None), "The window was not applied."),
    "window-one-too-wide": (
        lambda r, q, c, w, n: sees(r, q, c, w and w + 1),
        "The window is one too wide: it counts the token itself, so i - j < window.",
    ),
    "window-one-too-narrow": (
        lambda r, q, c, w, n: sees(r, q, c, w and max(w - 1, 1)),
        "The window is one too narrow: it counts the token itself, so i - j < window.",
    ),
    "window-of-the-last": (
        lambda r, q, c, w, n: sees(r, q, c, None) and (w is None or len(r) - 1 - c < w or c == q),
        "Every query got the window of the last one. Each has its own, ending with itself.",
    ),
    "window-from-the-start": (
        lambda r, q, c, w, n: sees(r, q, c, None) and (w is None or c < w or c == q),
        "The first columns were kept instead of the last ones before the query.",
    ),
}


def mask_case(group: str, real: Tensor, new: int, window: int | None = None, kwargs: bool = True) -> Case:
    """One call of attention_mask."""
    rows, size = real.tolist(), real.shape[1]

    def outcome(rule: Sees) -> Tensor:
        return torch.tensor(
            [
                [[rule(row, q, c, window, new) for c in range(size)] for q in range(size - new, size)]
                for row in rows
            ]
        )

    wrong = {name: (lambda rule=rule: outcome(rule), words) for name, (rule, words) in CAUSAL.items()}
    given = () if window is None else (window,)
    call = (
        Call("attention_mask", (real, new), {"window": window})
        if given and kwargs
        else Call("attention_mask", (real, new, *given))
    )
    return Case(
        "kv_cache.attention_mask",
        group,
        (call,),
        Expect(outcome(lambda r, q, c, w, n: sees(r, q, c, w)), wrong),
    )


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """As usual, but a mask of numbers is not a mask."""
    verdict, last = judge_value(case, outputs, events), outputs[-1]
    if (
        verdict.ok
        and isinstance(last, Returned)
        and case.task == "kv_cache.attention_mask"
        and last.value.dtype != torch.bool
    ):
        return Verdict(
            False,
            "The ones and zeros are right, but a mask is of dtype bool: of integers, ~mask is not the "
            "opposite.",
            "torch.bool",
            show(last.value),
            "mask-not-bool",
        )
    return verdict


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(42_000 + seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=generator))

    made = []
    some = left_padded([number(3, 6), 9, number(6, 9)], 9)
    for make, tail in ((place_case, ()), (mask_case, ())):
        made.append(make(PREFILL, torch.ones(2, 5, dtype=torch.int64), 5, *tail))
        for past, new in ((6, 1), (4, 3), (number(1, 9), number(2, 5))):
            made.append(make(DECODE, torch.ones(2, past + new, dtype=torch.int64), new, *tail))
        for new in (9, 1, 4, 7):
            made.append(make(PADDED, some, new, *tail))
        made.append(make(PADDED, some.bool(), 2, *tail))
    for real, new, window in (
        (torch.ones(1, 6, dtype=torch.int64), 6, 3),
        (torch.ones(1, 8, dtype=torch.int64), 1, 4),
        (torch.ones(2, 9, dtype=torch.int64), 4, number(2, 5)),
        (some, 4, 2),
        (some, 9, 4),
        (torch.ones(1, 4, dtype=torch.int64), 2, 1),
        (torch.ones(1, 4, dtype=torch.int64), 3, 9),
    ):
        made.append(mask_case(WINDOW, real, new, window, kwargs=window != 3))
    for window in (0, -2):
        made.append(
            Case(
                "kv_cache.attention_mask",
                INVALID,
                (Call("attention_mask", (some, 2, window)),),
                Refuse(str(window)),
            )
        )
    return made
