"""Checks of smoothquant_scales and fold_scales: from where to where the size of a channel goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from llmlab.checks.calibration.parts_judged import Result, judge, normal
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

SMOOTH, FOLD = "calibration.smoothquant_scales", "calibration.fold_scales"
MOVED, ALPHA = "from activations to weights", "alpha, silent channels"
NORM, MATRIX = "the gain of a norm", "the rows of a matrix"
READ = "part4/calibration.html#sec-"
TASKS = (
    Task(SMOOTH, "lab6", "how much size to move from inputs to weights", {MOVED: 1, ALPHA: 1}, READ + "smoothquant"),
    Task(FOLD, "lab6", "put a scale into the operation before", {NORM: 1, MATRIX: 1}, READ + "folding"),
)
Columns = list[list[float]]
Rule = Callable[[Columns, Columns, float], list[float]]


def sizes(columns: Columns, of: Callable[[Sequence[float]], float] = max) -> list[float]:
    """One number of each column's magnitudes, at least 1e-5."""
    return [max(of([abs(n) for n in column]), 1e-5) for column in columns]


def mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def smooth(x: Columns, w: Columns, alpha: float, of: Callable[[Sequence[float]], float] = max) -> list[float]:
    """max|x_j|^alpha / max|w_j|^(1 - alpha), column by column."""
    return [a**alpha / b ** (1 - alpha) for a, b in zip(sizes(x, of), sizes(w, of), strict=True)]


def rows_of(w: Columns) -> Columns:
    return [list(row) for row in zip(*w, strict=True)]


SMOOTH_RULES: dict[str, tuple[Rule, str]] = {
    "exponents-swapped": (
        lambda x, w, a: smooth(x, w, 1 - a),
        "The exponents are swapped: alpha belongs to the activations, 1 - alpha to the weights.",
    ),
    "smooth-scale-inverted": (
        lambda x, w, a: [1 / s for s in smooth(x, w, a)],
        "That is 1 / s. x is divided by s, so large inputs need a large s.",
    ),
    "alpha-ignored": (lambda x, w, a: smooth(x, w, 0.5), "alpha had no effect: that is the result for 0.5."),
    "smooth-scale-of-means": (
        lambda x, w, a: smooth(x, w, a, mean),
        "Mean magnitudes were used. The *largest* one decides a scale, so it is what must be moved.",
    ),
    "activations-only": (
        lambda x, w, a: [n**a for n in sizes(x)], "The weights were left out: divide by max|w_j|^(1 - alpha).",
    ),
    "multiplies-by-weights": (
        lambda x, w, a: [m**a * n ** (1 - a) for m, n in zip(sizes(x), sizes(w), strict=True)],
        "Both sizes were multiplied. Large weights are a reason to move *less*: divide.",
    ),
    "maxima-over-outputs": (
        lambda x, w, a: smooth(x, rows_of(w), a) if len(x) == len(w[0]) else [],
        "The maxima of w are those of its rows. A channel of the input is a column of w.",
    ),
    "maxima-without-magnitude": (
        lambda x, w, a: [max(max(m), 1e-5) ** a / max(max(n), 1e-5) ** (1 - a) for m, n in zip(x, w, strict=True)],
        "The maxima were taken of signed numbers. Take magnitudes.",
    ),
    "silent-channel": (
        lambda x, w, a: [
            float(torch.tensor(max(map(abs, m))) ** a / torch.tensor(max(map(abs, n))) ** (1 - a))
            for m, n in zip(x, w, strict=True)
        ],
        "A channel of zeros got the scale 0, inf or nan. Maxima count as at least 1e-5.",
    ),
}


def smooth_case(group: str, x: Tensor, w: Tensor, alpha: float | None = None) -> Case:
    used = 0.5 if alpha is None else alpha
    columns = x.double().T.tolist(), w.double().T.tolist()

    def made(rule: Rule) -> Tensor:
        return torch.tensor(rule(*columns, used), dtype=x.dtype)

    wrong = {name: (lambda rule=rule: made(rule), words) for name, (rule, words) in SMOOTH_RULES.items()}
    given = (x, w) if alpha is None else (x, w, alpha)
    return Case(SMOOTH, group, (Call("smoothquant_scales", given),), Result(made(smooth), wrong))


def fold(previous: Tensor, w: Tensor, scale: Tensor, up: float = 1.0, down: float = -1.0) -> tuple[Tensor, Tensor]:
    """Entry by entry: column j of w times s_j^up, channel j of what comes before times s_j^down."""
    before, after = previous.clone(), w.clone()
    for j, s in enumerate(scale.tolist()):
        before[j] = previous[j] * s**down
        after[:, j] = w[:, j] * s**up
    return before, after


def across(tensor: Tensor, scale: Tensor, power: float, dim: int) -> Tensor:
    """Scaled along the other dimension, where the sizes allow it; otherwise nothing that a result could equal."""
    if tensor.ndim < 2 or tensor.shape[dim] != len(scale):
        return torch.full_like(tensor, torch.nan)
    return tensor * (scale**power).unsqueeze(1 - dim)


def fold_case(group: str, previous: Tensor, w: Tensor, scale: Tensor) -> Case:
    right = fold(previous, w, scale)
    wrong = {
        "scale-not-folded": (
            lambda: (previous, right[1]),
            "w was scaled, what comes before it was not: the function changed. Divide there.",
        ),
        "weights-not-scaled": (lambda: (right[0], w), "w was not scaled: multiply its columns."),
        "folded-the-wrong-way": (
            lambda: fold(previous, w, scale, -1, 1), "It is the other way round: w times s, what comes before over s.",
        ),
        "multiplied-twice": (
            lambda: fold(previous, w, scale, 1, 1), "Both were multiplied. What comes before is divided.",
        ),
        "scales-the-rows": (
            lambda: (right[0], across(w, scale, 1, 0)),
            "The rows of w were scaled, which are its outputs. The inputs are its columns.",
        ),
        "folds-into-the-columns": (
            lambda: (across(previous, scale, -1, 1), right[1]),
            "The columns of the matrix before were divided, its inputs. Its rows make the channels.",
        ),
    }
    return Case(FOLD, group, (Call("fold_scales", (previous, w, scale)),), Result(right, wrong))


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(62_000 + seed)

    def pair(rows: int, channels: int, outputs: int) -> tuple[Tensor, Tensor]:
        sizes = 10 ** normal(generator, channels).clamp(-1, 1)
        return normal(generator, rows, channels) * sizes, normal(generator, outputs, channels)

    x, w = pair(5, 4, 4)
    x[0, 0], w[1, 2] = -30.0, -5.0
    made = [smooth_case(MOVED, x.float(), w.float(), 0.7), smooth_case(MOVED, *pair(6, 5, 3))]
    made += [smooth_case(ALPHA, *pair(4, 3, 6), alpha) for alpha in (0.0, 0.25, 1.0)]
    x, w = pair(3, 4, 5)
    x[:, 1], w[:, 3] = 0, 0
    made.append(smooth_case(ALPHA, x, w))
    made += [Case(SMOOTH, ALPHA, (Call("smoothquant_scales", (x, w, a)),), Refuse(f"{a:g}")) for a in (1.5, -0.5)]

    def scale(size: int) -> Tensor:
        return 2 ** normal(generator, size)

    made.append(fold_case(NORM, normal(generator, 4), normal(generator, 4, 4), scale(4)))
    made.append(fold_case(NORM, normal(generator, 3).float(), normal(generator, 5, 3).float(), scale(3).float()))
    made.append(fold_case(MATRIX, normal(generator, 4, 4), normal(generator, 4, 4), scale(4)))
    made.append(fold_case(MATRIX, normal(generator, 5, 2), normal(generator, 3, 5), scale(5)))
    return made
