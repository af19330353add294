"""Checks of distribution: what a token is drawn from, under temperature, top-k, top-p and min-p.

The oracle walks over Python numbers, one row at a time, in float64. Where a mistake is known, its value is
computed the same way and compared. Random logits have no ties, and no sum of them stands near a top_p.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from llmlab.checks.judging import Expect, Refuse
from llmlab.checks.protocol import Call, Case, Task
from llmlab.checks.speculative.rules import READ, Row, by_row, judge

__all__ = ["TASKS", "cases", "judge"]

GREEDY, SHAPED, INVALID = "greedy at T = 0", "temperature, then truncation", "invalid settings"
TASK = "speculative.distribution"
TASKS = (
    Task(
        TASK,
        "lab5",
        "the distribution that a token is drawn from, for both models",
        {SHAPED: 2, GREEDY: 1, INVALID: 1},
        READ + "processed",
    ),
)


class Settings(NamedTuple):
    """What is done to logits before a token is drawn.

    >>> Settings(0.7, top_p=0.9).given()
    (0.7, 0, 0.9)
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def given(self) -> tuple[float, ...]:
        """As arguments of a call, without the last ones that are left as they are."""
        many = max((i + 1 for i, (a, b) in enumerate(zip(self, Settings(), strict=True)) if a != b), default=0)
        return tuple(self)[:many]

    def by_name(self) -> dict[str, float]:
        """Those that are not left as they are."""
        return {key: value for key, value in self._asdict().items() if value != getattr(PLAIN, key)}


PLAIN = Settings()


def nucleus(weights: Row, top_p: float, crossing: bool = True) -> list[bool]:
    """Which weights belong to the nucleus; without `crossing` the token that reaches top_p is missing."""
    total, mass, kept = math.fsum(weights), 0.0, [False] * len(weights)
    for at in sorted(range(len(weights)), key=lambda i: -weights[i]):
        if mass >= top_p * total:
            break
        mass += weights[at]
        kept[at] = crossing or mass <= top_p * total or mass == weights[at]
    return kept


def shaped(row: Row, settings: Settings, *, renormalise: bool = True, crossing: bool = True, first: str = "",
           relative: bool = True) -> Row:
    """The oracle of distribution, on one row of logits; the other arguments make it wrong.

    first: "top-p" before top-k, or before the "temperature"; relative: min_p times the largest, or min_p alone.
    """
    temperature, top_k, top_p, min_p = settings
    if temperature == 0:
        return [float(i == row.index(max(row))) for i in range(len(row))]
    top, least = max(row), sorted(row, reverse=True)[top_k - 1] if 0 < top_k < len(row) else -math.inf
    weights = [math.exp((x - top) / temperature) if x > -math.inf else 0.0 for x in row]
    kept = [w if x >= least else 0.0 for w, x in zip(weights, row, strict=True)]
    if top_p < 1:
        plain = [math.exp(x - top) if w else 0.0 for x, w in zip(row, kept, strict=True)]
        inside = nucleus({"": kept, "top-p": weights, "temperature": plain}[first], top_p, crossing)
        kept = [w if stays else 0.0 for w, stays in zip(kept, inside, strict=True)]
    floor = min_p * (max(kept) if relative else math.fsum(kept))
    kept = [w if w >= floor else 0.0 for w in kept]
    total = math.fsum(kept if renormalise else weights)
    return [w / total if total else math.nan for w in kept]


def nearby(settings: Settings) -> list[Settings]:
    """The settings with thresholds a little lower and a little higher: what both keep no rounding decides."""
    return [
        settings._replace(top_p=p if p == 1 else p * (1 + d), min_p=settings.min_p * (1 + d))
        for d in (-1e-4, 1e-4)
        for p in (settings.top_p,)
    ]


def clear(row: Row, settings: Settings) -> bool:
    """Whether rounding cannot decide what stays."""
    return len({tuple(w > 0 for w in shaped(row, each)) for each in nearby(settings)}) == 1


def distribution_case(group: str, logits: Tensor, *settings: float) -> Case:
    """One call of distribution."""
    used = Settings(*settings)

    def law(given: Settings = used, **wrong) -> Tensor:
        return by_row(lambda row: shaped(row, given, **wrong), logits)

    wrong: dict = {
        "ignores-top-k": (
            lambda: law(used._replace(top_k=0)),
            "top_k had no effect: the tokens outside it keep their probability.",
        ),
        "ignores-top-p": (
            lambda: law(used._replace(top_p=1.0)),
            "top_p had no effect: the tokens outside the nucleus keep their probability.",
        ),
        "ignores-min-p": (
            lambda: law(used._replace(min_p=0.0)),
            "min_p had no effect: tokens below it keep their probability.",
        ),
        "ignores-temperature": (lambda: law(used._replace(temperature=1.0)), "The temperature had no effect."),
        "truncation-not-renormalised": (
            lambda: law(renormalise=False),
            "What the truncation leaves does not sum to 1: take the softmax afterwards.",
        ),
        "top-p-drops-the-crossing-token": (
            lambda: law(crossing=False),
            "The token with which the sum reaches top_p is missing: it stays.",
        ),
        "top-p-before-top-k": (
            lambda: law(first="top-p"),
            "The nucleus was taken of all tokens. Take it of those that top-k left, whose softmax sums to 1 again.",
        ),
        "top-p-before-temperature": (
            lambda: law(first="temperature"),
            "The nucleus was taken before the division by T. The temperature comes first.",
        ),
        "min-p-not-relative": (
            lambda: law(relative=False),
            "Tokens less likely than min_p were dropped. The bound is min_p times the largest probability.",
        ),
        "returns-logits": (
            lambda: logits / (used.temperature or 1.0),
            "Logits came back. Return probabilities.",
        ),
    }
    if used.temperature:
        wrong["temperature-multiplies"] = (
            lambda: law(used._replace(temperature=1 / used.temperature)),
            "The logits were multiplied by T. Divide.",
        )
    else:
        wrong["greedy-not-one-hot"] = (
            lambda: law(Settings()),
            "T = 0 left all probabilities: the draw would not be greedy.",
        )
        wrong["greedy-shares-ties"] = (
            lambda: by_row(lambda row: [float(x == max(row)) / row.count(max(row)) for x in row], logits),
            "Equal logits shared the probability at T = 0. The first one gets all of it.",
        )
    return Case(TASK, group, (Call("distribution", (logits, *used.given())),), Expect(law(), wrong))


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(59_000 + seed)

    def normal(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return (torch.randn(shape, generator=generator, dtype=torch.float64) * 2).to(dtype)

    def telling(settings: Settings, *mistakes: dict) -> Tensor:
        """Logits on which each of these mistakes, and each setting, shows; no sum stands near a threshold."""
        without = [settings._replace(**{key: getattr(PLAIN, key)}) for key in settings.by_name()]
        laws = [{"settings": settings}, *({"settings": each} for each in without)]
        laws += [{"settings": settings, **mistake} for mistake in mistakes]
        while True:
            logits = normal(4, 9)
            rows, seen = logits.double().tolist(), []
            for law in laws:
                told = [round(x, 3) for row in rows for x in shaped(row, **law)]
                if told in seen:
                    break
                seen.append(told)
            if len(seen) == len(laws) and all(clear(row, settings) for row in rows):
                return logits

    def invalid(*settings: float, named: str) -> Case:
        return Case(TASK, INVALID, (Call("distribution", (bad, *settings)),), Refuse(named))

    tied = torch.tensor([[1.0, 4.0, 4.0, -math.inf], [2.0, 0.0, 2.0, 2.0]])
    bad, both, all_three = normal(3), Settings(1.6, 5, 0.85), Settings(0.7, 7, 0.95, 0.1)
    nuclei = {"crossing": False}, {"first": "top-p"}, {"first": "temperature"}
    return [
        distribution_case(SHAPED, normal(7), 0.6, 0),
        distribution_case(SHAPED, normal(2, 3, 9), 1.7, 4),
        distribution_case(SHAPED, normal(2, 6, dtype=torch.float64), 1.3, 9),
        distribution_case(SHAPED, tied, 0.8, 2),
        distribution_case(SHAPED, telling(both, *nuclei), *both),
        distribution_case(SHAPED, telling(Settings(1.4, min_p=0.2), {"relative": False}), 1.4, 0, 1.0, 0.2),
        distribution_case(SHAPED, telling(all_three), *all_three),
        distribution_case(GREEDY, normal(2, 5, dtype=torch.float64), 0.0, 0),
        distribution_case(GREEDY, tied, 0.0, 3, 0.5),
        invalid(-0.5, named="-0.5"),
        invalid(1.0, -3, named="-3"),
        invalid(1.0, 0, 1.25, named="1.25"),
        invalid(1.0, 0, 1.0, -0.25, named="-0.25"),
    ]
