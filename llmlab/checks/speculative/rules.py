"""Checks of accept_probability, residual and acceptance_rate: what one place is made of.

The oracles walk over Python numbers, one row at a time, in float64. Where a mistake is known, its value
is computed the same way and compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from llmlab.checks import judging
from llmlab.checks.judging import Expect, Refuse, Wrong
from llmlab.checks.protocol import Call, Case, Event, Output, Raised, Returned, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

CHANCE, EMPTY = "min(1, p / q)", "tokens the draft never proposes"
LEFT, EQUAL = "(p - q)+ renormalised", "p equal to q"
READ = "part4/speculative.html#sec-"
TASKS = (
    Task(
        "speculative.accept_probability",
        "lab5",
        "the probability that a drafted token is accepted",
        {CHANCE: 2, EMPTY: 1},
        READ + "acceptance",
    ),
    Task(
        "speculative.residual",
        "lab5",
        "what to draw from after a rejection",
        {LEFT: 3, EQUAL: 1},
        READ + "residual",
    ),
    Task(
        "speculative.acceptance_rate",
        "lab5",
        "how often a drafted token is accepted",
        {"sum of min(p, q)": 2},
        READ + "alpha",
    ),
)
Row = list[float]


def by_row(rule: Callable[..., Row], *tensors: Tensor) -> Tensor:
    """A rule on Python lists, for every row of tensors of one shape; same shape and dtype."""
    flat = zip(*(t.double().reshape(-1, t.shape[-1]).tolist() for t in tensors), strict=True)
    return torch.tensor([rule(*rows) for rows in flat], dtype=tensors[0].dtype).reshape(tensors[0].shape)


def chance(p: Row, q: Row) -> Row:
    return [1.0 if b == 0 else min(1.0, a / b) for a, b in zip(p, q, strict=True)]


def left(p: Row, q: Row) -> Row:
    over = [max(a - b, 0.0) for a, b in zip(p, q, strict=True)]
    total = math.fsum(over)
    return [x / total for x in over] if total else list(p)


def ratio(a: float, b: float) -> float:
    return a / b if b else math.nan if a == 0 else math.inf


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """The usual judge; NaN where no NaN belongs is named."""
    verdict = judging.judge(case, outputs, events)
    last = outputs[-1]
    if isinstance(case.expect, Refuse) or verdict.ok or verdict.misconception:
        return verdict
    if isinstance(last, Raised) and last.kind == "ZeroDivisionError":
        return replace(verdict, misconception="divides-by-zero")
    got = last.value if isinstance(last, Returned) else None
    if isinstance(got, Tensor) and got.is_floating_point() and bool(got.isnan().any()):
        return replace(
            verdict,
            message=f"NaN came out of a division by zero: say what holds there. ({verdict.message})",
            misconception="divides-by-zero",
        )
    return verdict


def chance_case(group: str, p: Tensor, q: Tensor) -> Case:
    """One call of accept_probability."""
    wrong: Wrong = {
        "ratio-upside-down": (
            lambda: by_row(chance, q, p),
            "That is min(1, q / p). The target's p is above.",
        ),
        "not-capped": (
            lambda: by_row(lambda a, b: [ratio(x, y) if y else 1.0 for x, y in zip(a, b, strict=True)], p, q),
            "A probability above 1 came out: the ratio is capped at 1.",
        ),
        "accepts-if-equal": (
            lambda: (p == q).to(p.dtype),
            "Accepted if p = q: that is the lecture's rule. Accept with probability min(1, p / q).",
        ),
        "accepts-only-what-the-target-prefers": (
            lambda: (p >= q).to(p.dtype),
            "1 where p >= q and 0 elsewhere: below q the token is accepted with p / q.",
        ),
        "refuses-what-was-not-drafted": (
            lambda: torch.where(q > 0, by_row(chance, p, q), 0.0),
            "A token of q = 0 got 0: min(1, p / q) is 1 there.",
        ),
        "accepts-every-draft": (lambda: torch.ones_like(p), "Every token gets 1."),
    }
    return Case(
        "speculative.accept_probability",
        group,
        (Call("accept_probability", (p, q)),),
        Expect(by_row(chance, p, q), wrong),
    )


def residual_case(group: str, p: Tensor, q: Tensor) -> Case:
    """One call of residual."""

    def far(a: Row, b: Row) -> Row:
        over = [abs(x - y) for x, y in zip(a, b, strict=True)]
        total = math.fsum(over)
        return [x / total for x in over] if total else list(a)

    over = (p - q).clamp(min=0)
    share = (p - q) / (p - q).sum(-1, keepdim=True).where((p - q).sum(-1, keepdim=True) != 0, 1.0)
    wrong: Wrong = {
        "resamples-from-target": (
            lambda: p.clone(),
            "p came back: what the draft gave too often would come again. Draw from what is left, (p - q)+.",
        ),
        "residual-not-renormalised": (lambda: over.clone(), "(p - q)+ does not sum to 1: divide by its sum."),
        "residual-absolute": (lambda: by_row(far, p, q), "That is |p - q|: tokens with q > p get 0."),
        "residual-reversed": (lambda: by_row(left, q, p), "That is (q - p)+. The target's p comes first."),
        "residual-not-clipped": (
            lambda: share,
            "p - q has negative entries: they become 0 before the division.",
        ),
        "residual-one-sum-for-all": (
            lambda: over / over.sum(),
            "One sum served all rows: every row has its own.",
        ),
        "residual-softmax": (
            lambda: over.softmax(-1),
            "softmax is not a division by the sum: a 0 would get a probability.",
        ),
        "residual-empty-zero": (
            lambda: torch.where(over.sum(-1, keepdim=True) > 0, by_row(left, p, q), 0.0),
            "Where p equals q a row of zeros came back, from which nothing can be drawn. Return p.",
        ),
        "residual-empty-uniform": (
            lambda: torch.where(over.sum(-1, keepdim=True) > 0, by_row(left, p, q), 1 / p.shape[-1]),
            "Where p equals q the uniform distribution came back. Return p.",
        ),
    }
    return Case("speculative.residual", group, (Call("residual", (p, q)),), Expect(by_row(left, p, q), wrong))


def rate_case(p: Tensor, q: Tensor) -> Case:
    """One call of acceptance_rate."""
    smaller = torch.minimum(p, q)
    wrong: Wrong = {
        "chance-of-equal-draws": (
            lambda: (p * q).sum(-1),
            "That is the sum of p q, the probability that two independent draws "
            "are equal: the lecture's rule. The rate is the sum of min(p, q).",
        ),
        "total-variation": (
            lambda: 1 - smaller.sum(-1),
            "That is the total variation, how often a token is rejected.",
        ),
        "total-variation-not-halved": (
            lambda: 1 - (p - q).abs().sum(-1),
            "The total variation is half of the sum of |p - q|.",
        ),
        "mean-instead-of-sum": (
            lambda: smaller.mean(-1),
            "The mean over the vocabulary came back: take the sum.",
        ),
        "unweighted-ratio": (
            lambda: by_row(chance, p, q).mean(-1),
            "The mean of min(1, p / q) counts all tokens alike: they are drawn with q.",
        ),
        "largest-only": (lambda: smaller.max(-1).values, "Only the largest min(p, q) came back: add all."),
        "one-rate-for-all": (
            lambda: smaller.sum(-1).mean(),
            "One number for all rows: every row has its own.",
        ),
    }
    pairs = zip(*(t.double().reshape(-1, t.shape[-1]).tolist() for t in (p, q)), strict=True)
    right = torch.tensor([math.fsum(map(min, a, b)) for a, b in pairs], dtype=torch.float64)
    return Case(
        "speculative.acceptance_rate",
        "sum of min(p, q)",
        (Call("acceptance_rate", (p, q)),),
        Expect(right.to(p.dtype).reshape(p.shape[:-1]), wrong),
    )


def laws(
    generator: torch.Generator, *shape: int, holes: bool = False, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Random distributions (..., V), with a zero in every row if `holes`."""
    weights = torch.randn(shape, generator=generator, dtype=torch.float64).mul(1.3).exp()
    if holes:
        weights.scatter_(-1, torch.randint(shape[-1], (*shape[:-1], 1), generator=generator), 0.0)
    return (weights / weights.sum(-1, keepdim=True)).to(dtype)


def one_alike(generator: torch.Generator, *shape: int) -> tuple[Tensor, Tensor]:
    """p and q of shape (rows, V), equal in the first row."""
    p, q = laws(generator, *shape), laws(generator, *shape)
    q[0] = p[0]
    return p, q


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(51_000 + seed)

    def pair(*shape: int, holes: bool = False, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        return laws(generator, *shape, dtype=dtype), laws(generator, *shape, holes=holes, dtype=dtype)

    return [
        chance_case(CHANCE, *pair(6)),
        chance_case(CHANCE, *pair(2, 3, 5, dtype=torch.float64)),
        chance_case(EMPTY, *pair(4, 6, holes=True)),
        chance_case(EMPTY, *reversed(pair(3, 5, holes=True))),
        chance_case(EMPTY, *(law.roll(1, 0) for law in (torch.eye(3), torch.eye(3)))),
        residual_case(LEFT, *pair(6)),
        residual_case(LEFT, *pair(2, 3, 5, holes=True, dtype=torch.float64)),
        residual_case(LEFT, *reversed(pair(3, 4, holes=True))),
        residual_case(EQUAL, *one_alike(generator, 3, 5)),
        residual_case(EQUAL, *(2 * (torch.tensor([[0.25, 0.75, 0.0]]),))),
        rate_case(*pair(6)),
        rate_case(*pair(2, 3, 5, holes=True, dtype=torch.float64)),
        rate_case(*one_alike(generator, 3, 8)),
    ]
