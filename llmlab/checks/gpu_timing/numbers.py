"""Judging plain numbers: one, several in a tuple, or several by name. Wrong ones are recognised name by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from llmlab.checks.compare import raised, show
from llmlab.checks.protocol import PASS, Output, Raised, Verdict

Value = float | str
Wrong = Mapping[str, tuple[Mapping[str, Value], str]]


@dataclass(frozen=True)
class Want:
    """The right numbers by name, in the order of a tuple. `wrong`: misconception -> (its values, what was done).

    `kind` is how they come: "dict", "tuple" or "number" (one value, whatever its name here). `tol` is relative.
    """

    right: Mapping[str, Value]
    kind: str
    wrong: Wrong = field(default_factory=dict)
    tol: float = 1e-6


def number(value: Any) -> float | None:
    """A finite or infinite float if the value is a number or a tensor of one element, else None."""
    if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_complex():
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def near(a: Value, b: Value | None, tol: float) -> bool:
    """Equal within a relative tolerance; strings exactly."""
    if isinstance(a, str) or isinstance(b, str) or b is None:
        return a == b
    return math.isclose(a, b, rel_tol=tol, abs_tol=0.0)


def named(value: Any, want: Want) -> dict[str, Value | None] | None:
    """The returned values under the names of `want`; None if their form is another."""
    if want.kind == "dict":
        if not isinstance(value, dict) or set(value) != set(want.right):
            return None
        return {key: value[key] if isinstance(want.right[key], str) else number(value[key]) for key in want.right}
    if want.kind == "tuple":
        if not isinstance(value, (tuple, list)) or len(value) != len(want.right):
            return None
        return dict(zip(want.right, map(number, value), strict=True))
    return {key: number(value) for key in want.right}


def form(want: Want) -> str:
    """What should come back, in words."""
    names = ", ".join(want.right)
    return {"dict": f"a dict with the keys {names}", "tuple": f"a tuple ({names})", "number": "a number"}[want.kind]


def judge(want: Want, output: Output) -> Verdict:
    """Judge an output by the numbers that were wanted."""
    if isinstance(output, Raised):
        return raised(output)
    expected = ", ".join(f"{key} {_text(value)}" for key, value in want.right.items())
    got = named(output.value, want)
    if got is None:
        return Verdict(False, f"Return {form(want)}.", expected, show(output.value), "wrong-form")
    bad = [key for key, value in want.right.items() if not near(value, got[key], want.tol)]
    if not bad:
        return PASS
    told = f"{bad[0]}: expected {_text(want.right[bad[0]])}, got {_text(got[bad[0]])}"
    for name, (values, words) in want.wrong.items():
        moved = [key for key in values if not near(want.right[key], values[key], want.tol)]
        if moved and all(near(values[key], got[key], want.tol) for key in moved):
            return Verdict(False, f"{words} ({told})", expected, show(output.value), name)
    return Verdict(False, f"{told}.", expected, show(output.value))


def _text(value: Value | None) -> str:
    return f"{value:.8g}" if isinstance(value, float) else str(value)
