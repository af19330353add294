"""Checks of llm_int8: which columns stay, whose scales are used, how products are added up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.checks.calibration.oracle import Rounding, scale_of
from llmlab.checks.calibration.parts_judged import Result, judge, normal
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

TASK = "calibration.llm_int8"
KEPT, SCALES, EDGES = "outlier columns stay", "a scale for every row", "none, all, zeros"
TASKS = (
    Task(TASK, "lab6", "multiply in 8 bits, all but the outlier columns", {KEPT: 2, SCALES: 1, EDGES: 1},
         "part4/calibration.html#sec-llm-int8"),
)


def any_input(x: Tensor, w: Tensor, threshold: float) -> Tensor:
    return torch.tensor([any(abs(n) > threshold for n in column) for column in x.T.tolist()])


@dataclass(frozen=True)
class Rule:
    """The right rule, and ways to get it wrong."""

    chosen: Callable[[Tensor, Tensor, float], Tensor] = any_input  # (I,) bool
    scales: str = "rows"
    scales_of_all: bool = False
    outliers_added: bool = True
    last: int = 127
    wraps: bool = False


def number_by_number(x: Tensor, w: Tensor, threshold: float, rule: Rule = Rule(),
                     rounding: Rounding | None = None) -> Tensor:
    """x w^T (N, O) under a rule."""
    x, w, rounding = x.double(), w.double(), rounding or Rounding()
    chosen = rule.chosen(x, w, threshold)
    kept = x[:, chosen] @ w[:, chosen].T if rule.outliers_added else torch.zeros(len(x), len(w)).double()
    if bool(chosen.all()):
        return kept
    codes, scales = [], []
    for part in (x, w):
        rest = part[:, ~chosen]
        per = scales_for(part if rule.scales_of_all else rest, rule)[..., : rest.shape[1]]
        per = per.expand(rest.shape) * 127 / rule.last
        flat = zip(rest.flatten().tolist(), per.flatten().tolist(), strict=True)
        made = [round(rounding(number, scale, 16) / scale) for number, scale in flat]
        codes.append(torch.tensor(made, dtype=torch.float64).view(rest.shape))
        scales.append(per)
    if rule.wraps:
        product = ((codes[0] @ codes[1].T + 128) % 256 - 128) * scales[0][:, :1] * scales[1][:, :1].T
    else:
        product = (codes[0] * scales[0]) @ (codes[1] * scales[1]).T
    return kept + product


def scales_for(part: Tensor, rule: Rule) -> Tensor:
    """(rows, 1), (1, columns) or (1, 1)."""
    if rule.scales == "tensor":
        return torch.tensor([[scale_of(part.flatten().tolist(), 8)]], dtype=torch.float64)
    if rule.scales == "columns":
        return torch.tensor([[scale_of(column, 8) for column in part.T.tolist()]], dtype=torch.float64)
    return torch.tensor([[scale_of(row, 8)] for row in part.tolist()], dtype=torch.float64)


def rows_kept(x: Tensor, w: Tensor, threshold: float) -> Tensor:
    """The rows of x with an outlier as they are, all others in 8 bits."""
    whole = number_by_number(x, w, float("inf"))
    rows = (x.abs() > threshold).any(1)
    whole[rows] = (x.double() @ w.double().T)[rows]
    return whole


def entries_kept(x: Tensor, w: Tensor, threshold: float) -> Tensor:
    """The entries above the threshold as they are, everything else in 8 bits."""
    large = torch.where(x.abs() > threshold, x, 0.0).double()
    return large @ w.double().T + number_by_number(x - large, w, float("inf"))


def none(x: Tensor, w: Tensor, threshold: float) -> Tensor:
    return torch.zeros(x.shape[1], dtype=torch.bool)


RULES: dict[str, tuple[Rule, str]] = {
    "outliers-quantized-too": (
        Rule(chosen=none),
        "Outlier columns went through 8 bits, too. They set the scale of their whole row. Take them out first.",
    ),
    "threshold-on-weights": (
        Rule(chosen=lambda x, w, t: (w.abs() > t).any(0)),
        "Columns were chosen by the size of the weights. The outliers are in the inputs: compare |x|.",
    ),
    "threshold-without-magnitude": (
        Rule(chosen=lambda x, w, t: (x > t).any(0)),
        "Only positive numbers were compared with the threshold. Take magnitudes.",
    ),
    "every-row-must-exceed": (
        Rule(chosen=lambda x, w, t: (x.abs() > t).all(0)),
        "A column was kept only if all its numbers are outliers. One is enough.",
    ),
    "outlier-part-left-out": (
        Rule(outliers_added=False), "The product of the outlier columns was not added to the result.",
    ),
    "scale-includes-outliers": (
        Rule(scales_of_all=True),
        "The scales were computed before the outlier columns were taken out, so an outlier still sets its row's scale.",
    ),
    "one-scale-per-tensor": (
        Rule(scales="tensor"), "All rows share one scale. Every row of x and every row of w has its own.",
    ),
    "scale-per-column": (
        Rule(scales="columns"),
        "Every column has a scale. It cannot be taken out of the sum over columns; every *row* has one.",
    ),
    "scale-128": (Rule(last=128), "The largest magnitude became code 128. It is code 127 here."),
    "sums-overflow": (
        Rule(wraps=True), "The sums wrapped around: 8-bit products need 32-bit sums. Convert the codes first.",
    ),
}
OTHER: dict[str, tuple[Callable[[Tensor, Tensor, float], Tensor], str]] = {
    "outlier-rows": (rows_kept, "Rows with an outlier were kept, not columns. An outlier is an input channel."),
    "outlier-entries-only": (
        entries_kept, "Only the entries above the threshold were kept. Their whole column stays as it is.",
    ),
    "not-quantized": (lambda x, w, t: x.double() @ w.double().T, "That is the exact product. Nothing was rounded."),
}


def case(group: str, x: Tensor, w: Tensor, threshold: float | None = None, why: str = "") -> Case:
    """One call, with what every wrong rule leads to."""
    used = 6.0 if threshold is None else threshold
    wrong = {name: (lambda rule=rule: number_by_number(x, w, used, rule).to(x.dtype), words)
             for name, (rule, words) in RULES.items()}
    wrong |= {name: (lambda made=made: made(x, w, used).to(x.dtype), words) for name, (made, words) in OTHER.items()}
    given = (x, w) if threshold is None else (x, w, threshold)
    return Case(TASK, group, (Call("llm_int8", given),),
                Result(number_by_number(x, w, used).to(x.dtype), wrong, why=why))


def draw(generator: torch.Generator, rows: int, channels: int, outputs: int, outliers: int,
         dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Rows of unequal size; channels with outliers, of either sign; one large weight elsewhere."""
    while True:
        x = normal(generator, rows, channels).clamp(-3, 3) * torch.linspace(0.5, 1.9, rows)[:, None]
        w = normal(generator, outputs, channels) * torch.linspace(0.2, 2.0, outputs)[:, None]
        places = torch.randperm(channels, generator=generator)
        for number, place in enumerate(places[:outliers].tolist()):  # in one row, then in all
            size = 20 + 30 * torch.rand(rows, generator=generator, dtype=torch.float64)
            if number == 0:
                x[0, place] = size[0]
            else:
                x[:, place] = -size
        w[0, places[-1]] = 9.0
        x, w, rounding = x.to(dtype), w.to(dtype), Rounding()
        number_by_number(x, w, 6.0, rounding=rounding)
        if rounding.margin > 2e-3:
            return x, w


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(61_000 + seed)
    one = draw(generator, 3, 6, 2, 1)
    made = [case(KEPT, *one), case(KEPT, *draw(generator, 4, 12, 3, 2, torch.float32)), case(KEPT, *one, 1e9)]
    made.append(case(SCALES, *draw(generator, 4, 10, 5, 0)))
    made.append(case(SCALES, *draw(generator, 5, 40, 3, 1, torch.float32)))
    x, w = draw(generator, 3, 5, 2, 0)
    made.append(case(EDGES, x, w, 0.0, "every column is an outlier"))
    zeros = torch.zeros_like(x)
    zeros[1] = x[1]
    made.append(case(EDGES, zeros, w, why="rows of zeros"))
    made.append(case(EDGES, zeros.float(), torch.zeros_like(w).float(), why="a matrix of zeros"))
    return made
