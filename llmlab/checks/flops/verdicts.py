"""Judging numbers and dicts of numbers, with the wrong numbers that known mistakes lead to.

Whole numbers must be exact; a float may stand for one, and is compared to 12 digits. Other numbers are compared to 6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from llmlab.checks.compare import mutation, raises, show, value_of
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Event, Output, Verdict
from llmlab.models.shapes import ACCELERATORS, MODELS

Value = float | int | str | None | Sequence[float]
Mistakes = Mapping[str, tuple[Value, str]]
WHOLE, REAL = 1e-12, 1e-6
NEVER = math.nan
"""Stands for the value of a mistake that cannot be told apart in a case; nothing equals it."""
LARGEST_BITS = 1_000


@dataclass(frozen=True)
class Right:
    """What must be returned: a number, a word, None, or a list of numbers.

    `wrong`: misconception id -> (the value it leads to, what was done in words).
    """

    value: Value
    wrong: Mistakes = field(default_factory=dict)


@dataclass(frozen=True)
class Want:
    """What the last step must return: one `Right`, or a dict of them, judged in order."""

    right: Right | Mapping[str, Right]
    why: str = ""


def case(task: str, group: str, call: Call, right: Right | Mapping[str, Right]) -> Case:
    """A case of one call; a published shape is shown by its name, so that a student can make the same call."""
    given = [named(value) for value in call.args] + [f"{key}={named(value)}" for key, value in call.kwargs.items()]
    return Case(f"flops.{task}", group, (call,), Want(right), f"{call.function}({', '.join(given)})")


def named(value: Any) -> str:
    """How an argument is shown.

    >>> named(MODELS["GPT-2"]), named(3)
    ("MODELS['GPT-2']", '3')
    """
    for table, entries in (("MODELS", MODELS), ("ACCELERATORS", ACCELERATORS)):
        for name, entry in entries.items():
            if value == entry:
                return f"{table}[{name!r}]"
    return repr(value)


def plain(value: Any) -> Any:
    """A tensor of one number as that number, everything else as it is."""
    return value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value


def number(value: Any) -> bool:
    """True for an int or float that can be compared; False for bool, nan, and ints of thousands of digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value.bit_length() <= LARGEST_BITS if isinstance(value, int) else not math.isnan(value)


def same(expected: Value, got: Any) -> bool:
    """True if `got` is the expected value, within the tolerance that this file states."""
    got = plain(got)
    if expected is None or isinstance(expected, str):
        return type(got) is type(expected) and got == expected
    if isinstance(expected, Sequence):
        got = got.tolist() if isinstance(got, torch.Tensor) else got
        return (isinstance(got, list | tuple) and len(got) == len(expected)
                and all(same(a, b) for a, b in zip(expected, got, strict=True)))
    if not number(got):
        return False
    if isinstance(expected, int) and isinstance(got, int):
        return expected == got
    return math.isclose(expected, got, rel_tol=WHOLE if isinstance(expected, int) else REAL, abs_tol=1e-15)


def told(value: Any) -> str:
    """A number as it is shown to people: 12,345,678 or 0.125.

    >>> told(12345678), told(0.125), told(None)
    ('12,345,678', '0.125', 'None')
    """
    value = plain(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if number(value) else f"an int of {value.bit_length()} bits"
    if isinstance(value, float):
        return f"{value:,.8g}"
    try:
        return show(value)
    except ValueError:  # Python does not print integers of thousands of digits, not in a list either
        return f"a {type(value).__name__} with a very large int in it"


def compare(right: Right, got: Any, key: str = "") -> Verdict | None:
    """None if `got` is right; otherwise the verdict, with the misconception if it is a known one."""
    if same(right.value, got):
        return None
    got = plain(got)
    what = f'"{key}"' if key else "The result"
    expected, shown = f"{key + ': ' if key else ''}{told(right.value)}", f"{key + ': ' if key else ''}{told(got)}"
    for name, (value, words) in right.wrong.items():
        if same(value, got):
            where = f" (in {what})" if key else ""
            return Verdict(False, f"{words}{where}", expected, shown, name)
    if number(right.value) and not number(got):
        return Verdict(False, f"{what} should be a number, got {type(got).__name__}.", expected, shown)
    ratio = ""
    if number(right.value) and right.value and abs(got) < 1e300:
        ratio = f": {got / right.value:.6g} times what it should be"
    return Verdict(False, f"{what} is not right{ratio}.", expected, shown)


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Judge the last output by `case.expect`, a `Want` or a `Refuse`."""
    last = outputs[-1]
    if isinstance(case.expect, Refuse):
        return raises(last, case.expect.kind, case.expect.names)
    got, bad = value_of(last)
    if bad:
        return bad
    right = case.expect.right
    if isinstance(right, Right):
        verdict = compare(right, got)
    elif not isinstance(got, dict):
        return Verdict(False, f"The result should be a dict with the keys {', '.join(right)}; got "
                              f"{type(got).__name__}.",
                       "a dict", told(got))
    elif missing := [key for key in right if key not in got]:
        return Verdict(False, f"The dict lacks {', '.join(missing)}.", ", ".join(right), told(list(got)))
    else:
        found = (compare(want, got[key], key) for key, want in right.items())
        verdict = next((one for one in found if one), None)
    if verdict is None:
        return mutation(last)
    if case.expect.why and not verdict.misconception:
        return Verdict(False, f"{case.expect.why}: {verdict.message}", verdict.expected, verdict.got)
    return verdict
