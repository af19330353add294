"""Checks of gptq_hessian and gptq. The oracle of gptq inverts the Hessian anew for every column."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from llmlab.checks.calibration.oracle import Gptq, Rounding, gptq, nearest
from llmlab.checks.calibration.parts_judged import Result, judge, normal
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

HESSIAN, GPTQ = "calibration.gptq_hessian", "calibration.gptq"
PRODUCT, DAMPED = "2 x^T x", "damping"
PAID, GROUPS, ORDER, EDGES = "later columns make up", "scales of groups", "order of columns", "small and exact ones"
READ = "part4/calibration.html#sec-gptq"
TASKS = (
    Task(HESSIAN, "lab6", "which directions of a weight row matter", {PRODUCT: 1, DAMPED: 1}, READ),
    Task(GPTQ, "lab6", "round column by column and let the others make up",
         {PAID: 2, GROUPS: 1, ORDER: 1, EDGES: 1}, READ),
)


def hessian(x: Tensor, damping: float, factor: float = 2.0,
            onto: Callable[[Tensor], Tensor] = lambda d: d.mean().expand(len(d))) -> Tensor:
    """Entry by entry. `onto`: of the diagonal (I,), what 1.0 of damping adds to each of its numbers."""
    columns = x.double().T
    out = torch.stack([torch.stack([factor * (a * b).sum() for b in columns]) for a in columns])
    return out + torch.diag(damping * onto(out.diag()))


HESSIANS: dict[str, tuple[Callable[[Tensor, float], Tensor], str]] = {
    "hessian-without-damping": (
        lambda x, d: hessian(x, 0.0),
        "There is no damping. With few rows, or a channel that is always 0, this matrix has no inverse.",
    ),
    "hessian-without-2": (lambda x, d: hessian(x, d, 1.0), "The factor 2 is missing: the error is a square."),
    "hessian-averaged": (
        lambda x, d: hessian(x, d, 2.0 / len(x)), "It was divided by the number of rows. Here it is a sum.",
    ),
    "damping-absolute": (
        lambda x, d: hessian(x, d, onto=torch.ones_like),
        "The damping was added as it is. It is a share of the mean of the diagonal.",
    ),
    "damping-of-each": (
        lambda x, d: hessian(x, d, onto=lambda diagonal: diagonal),
        "Each number of the diagonal was damped by its own size. A channel that is always 0 gets nothing then. "
        "Add the same to all: damping times the mean.",
    ),
    "damping-of-the-largest": (
        lambda x, d: hessian(x, d, onto=lambda diagonal: diagonal.max().expand(len(diagonal))),
        "The damping is a share of the largest number of the diagonal. Take the mean.",
    ),
    "damping-everywhere": (
        lambda x, d: hessian(x, 0.0) + d * hessian(x, 0.0).diag().mean(),
        "The damping was added to every entry. Add it to the diagonal only.",
    ),
    "hessian-of-rows": (
        lambda x, d: hessian(x.T, d), "That is x x^T, over rows. Channels are the columns of x: x^T x, (I, I).",
    ),
}


def hessian_case(group: str, x: Tensor, damping: float | None = None, why: str = "") -> Case:
    used = 0.01 if damping is None else damping
    wrong = {name: (lambda rule=rule: rule(x, used).to(x.dtype), words) for name, (rule, words) in HESSIANS.items()}
    given = (x,) if damping is None else (x, damping)
    return Case(HESSIAN, group, (Call("gptq_hessian", given),), Result(hessian(x, used).to(x.dtype), wrong, why=why))


RULES: dict[str, tuple[Gptq, str]] = {
    "no-compensation": (
        Gptq(compensate=False),
        "No error was passed on: that is rounding to nearest. (A *lower* factor has only zeros to the right of its "
        "diagonal; take the upper one.)",
    ),
    "compensation-wrong-sign": (
        Gptq(sign=1.0), "The later columns got the error a second time: subtract what compensates, do not add it.",
    ),
    "compensates-done-columns": (
        Gptq(fresh_inverse=False, done_too=True),
        "Columns that had their codes were changed again, so they left the grid. Only later columns may change.",
    ),
    "inverse-not-factor": (
        Gptq(fresh_inverse=False),
        "The rows of the inverse Hessian of *all* columns were used. Columns that are done can no longer move; the "
        "Cholesky factor of the inverse knows that.",
    ),
    "factor-of-the-hessian": (
        Gptq(of_the_hessian=True), "The factor is that of H. Take the Cholesky factor of its inverse.",
    ),
    "error-not-divided": (Gptq(divide=False), "The error was not divided by U_ii before it was passed on."),
    "hessian-of-the-weights": (
        Gptq(of_weights=True), "The Hessian came from the weights. It comes from the inputs, as the given one does.",
    ),
    "group-scale-before-compensation": (
        Gptq(scales_first=True),
        "The scales of all groups were computed from the weights as given. A group's scales come when its first "
        "column is reached, from what compensation has made of it.",
    ),
    "groups-ignored": (Gptq(groups=False), "All columns share one scale a row: group was ignored."),
    "act-order-ignored": (Gptq(order="never"), "The columns were taken from left to right, in spite of act_order."),
    "act-order-ascending": (
        Gptq(order="ascending"), "The columns with the smallest H_ii went first. Descending: the largest first.",
    ),
    "order-not-undone": (Gptq(restore=False), "The columns came back in the order of rounding. Put them back."),
}


BY_ORDER = ("act-order-ignored", "act-order-ascending", "order-not-undone")
BY_GROUP = ("group-scale-before-compensation", "groups-ignored")
NAMED = {
    PAID: [name for name in RULES if name not in BY_ORDER + BY_GROUP],
    GROUPS: BY_GROUP,
    ORDER: BY_ORDER,
    EDGES: (),
}
"""Which mistakes a group of cases can name: in the others, two of them may lead to the same codes by chance."""


def gptq_case(group: str, w: Tensor, h: Tensor, bits: int, size: int | None = None, act_order: bool = False,
              why: str = "") -> Case:
    def made(rule: Gptq = Gptq()) -> Tensor:
        return gptq(w, h, bits, size, act_order, rule).to(w.dtype)

    wrong = {name: (lambda rule=rule: made(rule), words) for name, (rule, words) in RULES.items()
             if name in NAMED[group]}
    wrong["not-rounded"] = (lambda: w, "The weights came back as they were.")
    given = {"group": size} if size else {}
    given |= {"act_order": True} if act_order else {}
    return Case(GPTQ, group, (Call("gptq", (w, h, bits), given),), Result(made(), wrong, why=why))


def draw(generator: torch.Generator, outputs: int, columns: int, bits: int, size: int | None = None,
         act_order: bool = False, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Weights and a Hessian of correlated inputs, with no number near the middle of two codes under the right rule."""
    while True:
        mixed = normal(generator, columns, columns) / columns**0.5 + 0.5 * torch.eye(columns, dtype=torch.float64)
        x = normal(generator, 3 * columns, columns) @ mixed * 2 ** normal(generator, columns)
        w, h, rounding = normal(generator, outputs, columns).to(dtype), hessian(x, 0.01).to(dtype), Rounding()
        gptq(w, h, bits, size, act_order, rounding=rounding)
        if rounding.margin > 2e-3:
            return w, h


def telling(generator: torch.Generator, outputs: int, columns: int, bits: int,
            dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """As `draw`, but every way to pass the error on wrongly leads to a result of its own."""
    rules = [RULES[name][0] for name in NAMED[PAID]]
    while True:
        w, h = draw(generator, outputs, columns, bits, dtype=dtype)
        found = [gptq(w, h, bits, rule=rule) for rule in (Gptq(), *rules)]
        if all(float((a - b).abs().max()) > 0.01 for i, a in enumerate(found) for b in found[:i]):
            return w, h


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(64_000 + seed)
    made = [hessian_case(PRODUCT, normal(generator, *shape)) for shape in ((5, 3), (4, 4))]
    few = normal(generator, 2, 4).float() * 3
    few[:, 1] = 0
    made += [hessian_case(DAMPED, few), hessian_case(DAMPED, normal(generator, 6, 3), 0.5),
             hessian_case(DAMPED, normal(generator, 4, 2), 0.0, "without damping")]

    def drawn(group: str, outputs: int, columns: int, bits: int, size: int | None = None, order: bool = False,
              dtype: torch.dtype = torch.float64) -> Case:
        return gptq_case(group, *draw(generator, outputs, columns, bits, size, order, dtype), bits, size, order)

    made += [gptq_case(PAID, *telling(generator, 5, 7, 3), 3), gptq_case(PAID, *telling(generator, 6, 8, 4), 4)]
    made.append(gptq_case(PAID, *telling(generator, 4, 6, 3, torch.float32), 3))
    made += [drawn(GROUPS, 3, 6, 3, 2), drawn(GROUPS, 2, 8, 4, 4)]
    made += [drawn(ORDER, 3, 6, 3, None, True), drawn(ORDER, 2, 6, 3, 3, True)]
    w, h = draw(generator, 2, 1, 4)
    made.append(gptq_case(EDGES, w, h, 4, why="one column"))
    w, h = draw(generator, 3, 5, 4)
    made.append(gptq_case(EDGES, nearest(w, 4), h, 4, why="weights that are on their grid already"))
    w, h = draw(generator, 3, 4, 2)
    made.append(gptq_case(EDGES, w, h, 2, why="codes -1, 0, 1"))
    return made
