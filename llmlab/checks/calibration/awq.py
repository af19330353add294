"""Checks of awq_scales: what decides about the scale of a channel. The oracle is a loop over all candidates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.checks.calibration.oracle import nearest_at_once
from llmlab.checks.calibration.parts_judged import Result, judge, normal
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

TASK = "calibration.awq_scales"
OUTPUT, SHAPES, NOTHING = "the least error of the output", "groups and grids", "nothing to gain, silent channels"
TASKS = (
    Task(TASK, "lab6", "search the scale that protects channels with large inputs",
         {OUTPUT: 2, SHAPES: 1, NOTHING: 1}, "part4/calibration.html#sec-awq"),
)
CLEAR = 0.03
"""In a case, the second best candidate's error is larger by this share at least: rounding does not decide."""


@dataclass(frozen=True)
class Rule:
    """The right rule, and ways to get it wrong."""

    size: str = "mean |x|"
    error: str = "output"
    power: float = 1.0
    last: bool = True
    worst: bool = False
    grouped: bool = True


RIGHT = Rule()
WRONG: dict[str, tuple[Rule, str]] = {
    "awq-by-weight-size": (
        Rule(size="mean |w|"),
        "Channels were judged by the size of their weights. Those with large *inputs* matter.",
    ),
    "awq-weight-error": (
        Rule(error="weights"),
        "alpha was chosen by the error of the weights, for which no channel matters more than another. "
        "Compare outputs.",
    ),
    "awq-input-not-divided": (
        Rule(error="scale left in"),
        "The error was measured with x, not with x / s, so with another function. Scale back before you compare.",
    ),
    "awq-largest-input": (
        Rule(size="max |x|"), "The largest |x_j| was used. AWQ takes the mean over the rows.",
    ),
    "awq-signed-mean": (
        Rule(size="mean x"), "The mean was taken of signed inputs, which may cancel. Take magnitudes.",
    ),
    "awq-scale-inverted": (
        Rule(power=-1.0), "That scale makes channels with large inputs smaller. They should become larger.",
    ),
    "awq-grid-stops-before-one": (
        Rule(last=False), "alpha = 1 was not tried. The candidates go from 0 to 1, both included.",
    ),
    "awq-worst-chosen": (Rule(worst=True), "The candidate with the *largest* error was chosen."),
    "awq-without-groups": (
        Rule(grouped=False), "The search rounded whole rows. It must round as it is done later, in groups.",
    ),
}


SEARCHES = ("awq-by-weight-size", "awq-weight-error", "awq-input-not-divided", "awq-grid-stops-before-one",
            "awq-without-groups")
"""Mistakes that end at another alpha; the others give another scale for the same one."""
NAMED = {OUTPUT: [name for name in WRONG if name not in SEARCHES[3:]], SHAPES: SEARCHES[3:], NOTHING: ()}
"""Which mistakes a group of cases can name: in the others, two of them may end at the same alpha by chance."""


def size_of(rule: Rule, x: Tensor, w: Tensor) -> Tensor:
    """m_j (I,), at least 1e-4."""
    found = []
    for inputs, weights in zip(x.T.tolist(), w.T.tolist(), strict=True):
        number = {
            "mean |x|": sum(map(abs, inputs)) / len(inputs),
            "mean |w|": sum(map(abs, weights)) / len(weights),
            "max |x|": max(map(abs, inputs)),
            "mean x": sum(inputs) / len(inputs),
        }[rule.size]
        found.append(max(number, 1e-4))
    return torch.tensor(found, dtype=torch.float64)


def search(x: Tensor, w: Tensor, bits: int, group: int | None, grid: int,
           rule: Rule = RIGHT) -> tuple[list[float], Tensor, float]:
    """Error of each candidate, m^power, and how near to the middle of two codes a number came."""
    x, w = x.double(), w.double()
    size, errors, margins = size_of(rule, x, w) ** rule.power, [], [1.0]
    for step in range(grid + (1 if rule.last else 0)):
        scale = size ** (step / grid)
        rounded, margin = nearest_at_once(w * scale, bits, group if rule.grouped else None)
        margins.append(margin)
        if rule.error == "weights":
            off = rounded / scale - w
        else:
            off = (x if rule.error == "scale left in" else x / scale) @ rounded.T - x @ w.T
        errors.append(float((off * off).mean()))
    return errors, size, min(margins)


def chosen(x: Tensor, w: Tensor, bits: int, group: int | None, grid: int, rule: Rule = RIGHT) -> tuple[float, Tensor]:
    """(alpha, scale) under a rule."""
    errors, size, _ = search(x, w, bits, group, grid, rule)
    alpha = errors.index(max(errors) if rule.worst else min(errors)) / grid
    return alpha, (size**alpha).to(x.dtype)


def case(group: str, x: Tensor, w: Tensor, bits: int, size: int | None = None, grid: int = 20, why: str = "") -> Case:
    def made(rule: Rule = RIGHT) -> tuple[float, Tensor]:
        return chosen(x, w, bits, size, grid, rule)

    wrong = {name: (lambda rule=rule: made(rule), words) for name, (rule, words) in WRONG.items()
             if name in NAMED[group]}
    return Case(TASK, group, (Call("awq_scales", (x, w, bits), {"group": size, "grid": grid}),),
                Result(made(), wrong, why=why))


def clear(errors: list[float]) -> bool:
    """Whether the best candidate is better than any other by far."""
    best, second = sorted(errors)[:2]
    return second > best * (1 + CLEAR)


def draw(generator: torch.Generator, group: str, bits: int, size: int | None, grid: int,
         shape: tuple[int, int, int], last: bool = False, silent: bool = False,
         dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Inputs and weights whose channels differ much in size; the best alpha is clear, and no wrong search ends there.

    last: whether the best alpha is 1. silent: channel 1 is always 0. Shape: rows, channels, outputs.
    """
    rows, channels, outputs = shape
    while True:
        spread = 10 ** (normal(generator, channels) * 0.7).clamp(-1.3, 1.3)
        x = (normal(generator, rows, channels) * spread).to(dtype)
        w = normal(generator, outputs, channels)
        if last:
            w = w / spread**0.9
        if silent:
            x[:, 1] = 0
        w = w.to(dtype)
        errors, _, margin = search(x, w, bits, size, grid)
        at = errors.index(min(errors))
        if clear(errors) and margin > 1e-6 and at > 0 and (at == grid) == last:
            if told_apart(group, x, w, bits, size, grid, at / grid):
                return x, w


def told_apart(group: str, x: Tensor, w: Tensor, bits: int, size: int | None, grid: int, right: float) -> bool:
    """Whether the wrong searches that this group of cases names end at other alphas, all different."""
    rules = [WRONG[name][0] for name in NAMED[group] if name in SEARCHES]
    found = {chosen(x, w, bits, size, grid, rule)[0] for rule in rules if applies(rule, size, right)}
    return right not in found and len(found) == sum(applies(rule, size, right) for rule in rules)


def applies(rule: Rule, size: int | None, right: float) -> bool:
    """Whether this mistake can show: without groups, or where the best alpha is not 1, some cannot."""
    return (rule.grouped or size is not None) and (rule.last or right == 1)


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(63_000 + seed)
    def drawn(group: str, bits: int, size: int | None, grid: int, shape: tuple[int, int, int], why: str = "",
              **given) -> Case:
        return case(group, *draw(generator, group, bits, size, grid, shape, **given), bits, size, grid, why)

    same = torch.ones(3, 4, dtype=torch.float64), normal(generator, 2, 4)
    return [
        drawn(OUTPUT, 3, None, 20, (6, 5, 4)),
        drawn(OUTPUT, 4, None, 20, (5, 6, 3), dtype=torch.float32),
        drawn(SHAPES, 3, 4, 6, (5, 8, 3)),
        drawn(SHAPES, 3, 2, 5, (5, 4, 3), last=True),
        drawn(SHAPES, 3, None, 10, (4, 4, 2)),
        case(NOTHING, *same, 4, grid=4, why="all inputs are equally large"),
        drawn(NOTHING, 3, None, 5, (6, 5, 4), "a channel that is always 0", silent=True),
    ]
