"""The judge that most checks use, and short ways to write down what is expected.

`Expect` says what one step must return, or raise. Checks that need more (statistics, model calls) have their own judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from llmlab.checks.compare import equal, raises
from llmlab.checks.protocol import Case, Event, Output, Verdict

Wrong = Mapping[str, tuple["torch.Tensor | Callable[[], torch.Tensor]", str]]


@dataclass(frozen=True, eq=False)
class Expect:
    """The tensor that the last step must return. `wrong`: misconception id -> (value it leads to, what was done)."""

    value: torch.Tensor
    wrong: Wrong = field(default_factory=dict)
    tol: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Refuse:
    """The last step must raise `kind`, with `names` (the value received) in its message."""

    names: str
    kind: str = "ValueError"


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Judge the last output by `case.expect`, an `Expect` or a `Refuse`."""
    last = outputs[-1]
    if isinstance(case.expect, Refuse):
        return raises(last, case.expect.kind, case.expect.names)
    expect = case.expect
    return equal(case, last, expect.value, tol=expect.tol, wrong=expect.wrong, why=expect.why)
