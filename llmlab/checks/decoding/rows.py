"""What the checks of the reshaping functions share: walking over rows, margins, and naming a mistake.

The oracles walk over plain Python numbers, one token at a time, in float64. `Value` says what a call must
return and lists the values that known mistakes lead to. Nothing here knows a single function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch

from llmlab.checks.compare import difference, equal, raises
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Case, Event, Output, Raised, Verdict

INF = math.inf
Keep = Callable[[list[float]], set[int]]
Mistake = tuple[str, Callable[[], torch.Tensor], str]
"""(misconception id, a function that gives the value it leads to, what was done in words)."""

MARGIN = {torch.float64: 1e-4, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 4e-2}
"""Inputs keep this distance from every threshold: nearer, the rounding of the dtype alone would decide."""


@dataclass(frozen=True, eq=False)
class Value:
    """What the last step must return; `mistakes` are tried in order; `raising` names a wrong exception."""

    value: torch.Tensor
    mistakes: Sequence[Mistake] = ()
    raising: tuple[str, str] | None = None


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Judge the last output by `case.expect`, a `Value` or a `Refuse`."""
    last, expect = outputs[-1], case.expect
    if isinstance(expect, Refuse):
        return raises(last, expect.kind, expect.names)
    verdict = equal(case, last, expect.value)
    if verdict.ok or verdict.misconception:
        return verdict
    if isinstance(last, Raised):
        if not expect.raising:
            return verdict
        name, words = expect.raising
        return replace(verdict, message=f"{words} ({verdict.message})", misconception=name)
    for name, wrong, words in expect.mistakes:
        if not difference(wrong(), last.value):
            return replace(verdict, message=f"{words} ({verdict.message})", misconception=name)
    if isinstance(last.value,
                  torch.Tensor) and bool(last.value.isnan().any()) and not bool(expect.value.isnan().any()):
        return replace(verdict,
                       message=f"NaN came out: look for inf - inf, 0 * inf or inf / inf. ({verdict.message})",
                       misconception="makes-nan")
    return verdict


def softmax(row: Sequence[float]) -> list[float]:
    """Plain softmax of a list that may hold -inf.

    >>> softmax([0.0, -math.inf, 0.0])
    [0.5, 0.0, 0.5]
    """
    top = max(row)
    weights = [math.exp(x - top) for x in row]
    total = math.fsum(weights)
    return [w / total for w in weights]


def row_lists(logits: torch.Tensor) -> list[list[float]]:
    """The rows of (..., V) as lists of Python numbers."""
    return logits.to(torch.float64).reshape(-1, logits.shape[-1]).tolist()


def order_of(row: list[float]) -> list[int]:
    """Indices from the most likely token to the least likely one; the lower index first among equals."""
    return sorted(range(len(row)), key=lambda i: -row[i])


def each_row(logits: torch.Tensor, rule: Callable[[list[float]], list[float]]) -> torch.Tensor:
    """The tensor of `rule(row)` for every row, in the shape and dtype of `logits`."""
    made = [rule(row) for row in row_lists(logits)]
    return torch.tensor(made, dtype=torch.float64).reshape(logits.shape).to(logits.dtype)


def by_rows(logits: torch.Tensor, keep: Keep) -> torch.Tensor:
    """`logits` with -inf wherever `keep(row)` does not name the index."""
    def masked(row: list[float]) -> list[float]:
        kept = keep(row)
        return [x if j in kept else -INF for j, x in enumerate(row)]

    return each_row(logits, masked)


def along(dim: int, logits: torch.Tensor, rule: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """`rule`, which works along the last dimension, applied along another one."""
    return rule(logits.transpose(-1, dim)).transpose(-1, dim)


def other_axes(logits: torch.Tensor, rule: Callable[[torch.Tensor], torch.Tensor],
               words: str) -> list[Mistake]:
    """The mistakes of working along any dimension but the last."""
    return [("wrong-axis", lambda dim=dim: along(dim, logits, rule),
             words) for dim in range(logits.dim() - 1)]


def masking_mistakes(logits: torch.Tensor, keep: Keep) -> list[Mistake]:
    """What goes wrong after a right choice of tokens: another mark for removed ones, or probabilities."""
    def right() -> torch.Tensor:
        return by_rows(logits, keep)

    def probs() -> torch.Tensor:
        return logits.double().softmax(-1).where(right() > -INF, 0.0)

    words = "Probabilities came back. Return logits: those of the kept tokens unchanged."
    return [
        ("removed-get-zero", lambda: right().where(right() > -INF, 0.0),
         "The removed tokens got the logit 0. That is a probability like others; -inf is the logit of "
         "probability 0."),
        ("probabilities-instead-of-logits", lambda: right().double().softmax(-1).to(logits.dtype), words),
        ("probabilities-instead-of-logits", lambda: probs().to(logits.dtype), words),
        ("keeps-the-others", lambda: by_rows(logits, lambda row: set(range(len(row))) - keep(row)),
         "The tokens to keep were removed and the others kept: the mask is the wrong way round."),
    ]


def draw(generator: torch.Generator, shape: tuple[int, ...], fits: Callable[[list[float]], bool],
         dtype: torch.dtype = torch.float32, scale: float = 2.0) -> torch.Tensor:
    """Random logits of this dtype, each row drawn anew until `fits(row)`."""
    count = math.prod(shape[:-1])
    rows: list[torch.Tensor] = []
    while len(rows) < count:
        row = (torch.randn(shape[-1], generator=generator) * scale).to(dtype)
        if fits(row.tolist()):
            rows.append(row)
    return torch.stack(rows).reshape(shape)


def named(rules: Iterable[tuple[str, Keep, str]], logits: torch.Tensor) -> list[Mistake]:
    """Mistakes that choose other tokens: (id, wrong rule for a row, words) with the value each leads to."""
    return [(name, lambda rule=rule: by_rows(logits, rule), words) for name, rule, words in rules]
