"""The judge of calibration's checks: results made of numbers, tensors and dicts of tensors, as a whole or in part."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from llmlab.checks.compare import difference, mutation, raises, show, value_of
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Case, Event, Output, Verdict

Wrong = Mapping[str, tuple[Callable[[], Any], str]]
LOOSE = 1e-4
"""Tolerance of all results here: some are computed in float32 on the way. Inputs are drawn so that no number to be
rounded lies near the middle of two codes; what a wrong rule leads to is far further away than this."""


@dataclass(frozen=True, eq=False)
class Result:
    """What the last step must return. `part`: which one of a tuple is judged, None for everything.

    `wrong`: misconception -> (function that gives the whole wrong result, what was done).
    """

    value: Any
    wrong: Wrong = field(default_factory=dict)
    part: int | None = None
    why: str = ""


def differs(expected: Any, got: Any) -> str:
    """Empty if they are equal; else one sentence.

    >>> differs((1.0, torch.ones(2)), [1.0, torch.ones(2)])
    ''
    >>> differs(1.5, torch.tensor(2.5))
    'expected 1.5, got 2.5'
    """
    if isinstance(expected, Tensor):
        return difference(expected, got, LOOSE)
    if isinstance(expected, dict):
        if not isinstance(got, dict) or set(got) != set(expected):
            return f"expected a dict with the keys {', '.join(expected)}, got {show(got)}"
        each = ((name, differs(value, got[name])) for name, value in expected.items())
        return next((f"{name}: {said}" for name, said in each if said), "")
    if isinstance(expected, tuple):
        if not isinstance(got, tuple | list) or len(got) != len(expected):
            return f"expected {len(expected)} results, got {show(got)}"
        return next((said for said in map(differs, expected, got) if said), "")
    if isinstance(got, Tensor) and got.numel() == 1 and not got.is_complex():
        got = got.item()
    if isinstance(got, bool) or not isinstance(got, int | float) or got != expected and abs(got) > 1e300:
        return f"expected the number {expected:.6g}, got {show(got)}"
    close = math.isclose(expected, got, rel_tol=LOOSE, abs_tol=LOOSE / 10)
    return "" if close else f"expected {expected:.6g}, got {got:.6g}"


def taken(value: Any, part: int | None) -> Any:
    """The judged part of a result; all of it where there is no such part."""
    if part is None or not isinstance(value, tuple | list) or not -len(value) <= part < len(value):
        return value
    return value[part]


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Compare the last output with what is expected, then with what each wrong rule leads to."""
    if isinstance(case.expect, Refuse):
        return raises(outputs[-1], case.expect.kind, case.expect.names)
    got, bad = value_of(outputs[-1])
    if bad:
        return bad
    expect = case.expect
    got, right = taken(got, expect.part), taken(expect.value, expect.part)
    said = differs(right, got)
    if not said:
        return mutation(outputs[-1])
    for name, (rule, words) in expect.wrong.items():
        if not differs(taken(rule(), expect.part), got):
            return Verdict(False, f"{words} ({said})", show(right), show(got), name)
    return Verdict(False, f"{expect.why + ': ' if expect.why else ''}{said}", show(right), show(got))


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Standard normal numbers in float64."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)
