"""Checks of what speculation brings on paper: expected_tokens, speedup, best_gamma.

The oracle of the expected tokens adds up the probabilities of every way in which a pass can end; the best
gamma is found by trying all. Nothing is timed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llmlab.checks.compare import show, value_of
from llmlab.checks.protocol import PASS, Call, Case, Event, Output, Raised, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

READ = "part4/speculative.html#sec-"
SUM, LIMIT = "the sum of the series", "alpha = 1 and alpha = 0"
TASKS = (
    Task(
        "speculative.expected_tokens",
        "lab5",
        "tokens that one target pass gives on average",
        {SUM: 2, LIMIT: 1},
        READ + "expected-tokens",
    ),
    Task(
        "speculative.speedup",
        "lab5",
        "tokens of a pass over its cost",
        {"cost of a pass": 2},
        READ + "best-gamma",
    ),
    Task(
        "speculative.best_gamma",
        "lab5",
        "how many tokens to draft",
        {"the best of all": 2},
        READ + "best-gamma",
    ),
)
CLOSE = 1e-6


@dataclass(frozen=True)
class Number:
    """The number to return, and those that known mistakes lead to."""

    value: float
    wrong: dict[str, tuple[float, str]] = field(default_factory=dict)


def near(value: float, got: object) -> bool:
    return (
        isinstance(got, int | float)
        and not isinstance(got, bool)
        and not (isinstance(got, int) and got.bit_length() > 60)
        and math.isclose(value, got, rel_tol=CLOSE, abs_tol=1e-12)
    )


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """One number, whole or not."""
    right, last = case.expect, outputs[-1]
    if isinstance(last, Raised) and last.kind == "ZeroDivisionError":
        return Verdict(
            False,
            "Division by zero: at alpha = 1 every drafted token is accepted, and the sum has gamma + 1 ones.",
            f"{right.value:g}",
            last.kind,
            "divides-by-zero",
        )
    got, bad = value_of(last)
    if bad:
        return bad
    if hasattr(got, "item") and getattr(got, "numel", lambda: 0)() == 1:
        got = got.item()
    if near(right.value, got):
        return PASS
    for name, (value, words) in right.wrong.items():
        if not near(right.value, value) and near(value, got):
            return Verdict(False, words, f"{right.value:.8g}", f"{value:.8g}", name)
    if isinstance(got, float) and math.isnan(got):
        return Verdict(
            False,
            "NaN came out: at alpha = 1 the closed form is 0 / 0.",
            f"{right.value:g}",
            "nan",
            "divides-by-zero",
        )
    return Verdict(False, "Another number came back.", f"{right.value:.8g}", show(got))


def tokens(alpha: float, gamma: int) -> float:
    """The oracle: i + 1 tokens if exactly i drafts are accepted, with the probability of that."""
    stops = [(i + 1) * alpha**i * (1 - alpha) for i in range(gamma)]
    return math.fsum([*stops, (gamma + 1) * alpha**gamma])


def gain(alpha: float, gamma: int, cost: float, verify_cost: float = 1.0) -> float:
    return tokens(alpha, gamma) / (verify_cost + gamma * cost)


def best(
    alpha: float, cost: float, most: int, rule: Callable[[int], float] | None = None, least: int = 0
) -> int:
    """The first gamma with the largest value of the rule, by default the speed-up."""
    rule = rule or (lambda gamma: gain(alpha, gamma, cost))
    return max(range(least, most + 1), key=rule)


def tokens_case(group: str, alpha: float, gamma: int) -> Case:
    accepted = tokens(alpha, gamma) - 1
    wrong = {
        "k-times-alpha": (
            gamma * alpha,
            "That is gamma x alpha, the lecture's rule: it forgets that a rejection drops "
            "everything behind it, and that each pass adds a token of its own.",
        ),
        "k-times-alpha-plus-one": (
            gamma * alpha + 1,
            "That is gamma x alpha + 1: the tokens behind a rejection are "
            "dropped, so acceptances do not add up like this.",
        ),
        "counts-accepted-only": (
            accepted,
            "The token that replaces a rejected one, or the bonus, is missing: every pass adds it.",
        ),
        "no-bonus-token": (
            tokens(alpha, gamma) - alpha**gamma,
            "The exponent is gamma + 1: if all drafts are accepted, the bonus token comes on top.",
        ),
        "counts-a-token-too-many": (tokens(alpha, gamma + 1), "That is for gamma + 1 drafted tokens."),
        "without-end": (
            1 / (1 - alpha) if alpha < 1 else math.inf,
            "1 / (1 - alpha) is the limit for endless drafts.",
        ),
    }
    return Case(
        "speculative.expected_tokens",
        group,
        (Call("expected_tokens", (alpha, gamma)),),
        Number(tokens(alpha, gamma), wrong),
    )


def speedup_case(alpha: float, gamma: int, cost: float, verify_cost: float | None = None) -> Case:
    verify = 1.0 if verify_cost is None else verify_cost
    got = tokens(alpha, gamma)
    wrong = {
        "draft-for-free": (got / verify, "The draft's passes cost nothing here: gamma x cost belongs below."),
        "one-draft-pass": (got / (verify + cost), "The draft runs gamma times, one pass for each token."),
        "draft-pass-too-many": (
            got / (verify + (gamma + 1) * cost),
            "The draft runs gamma times, not gamma + 1.",
        ),
        "target-for-free": (got / (gamma * cost), "The target's pass is missing below."),
        "ignores-verify-cost": (
            gain(alpha, gamma, cost),
            "The pass over gamma + 1 tokens costs verify_cost, not 1.",
        ),
        "verify-cost-per-token": (
            got / (gamma * cost + (gamma + 1) * verify),
            "verify_cost is that of the whole pass, not of each token.",
        ),
        "k-times-alpha": (
            gamma * alpha / (verify + gamma * cost),
            "gamma x alpha is not the number of tokens of a pass.",
        ),
        "lectures-speedup": (
            gamma * alpha,
            "That is gamma x alpha, the lecture's rule: without the cost of anything.",
        ),
        "upside-down": ((verify + gamma * cost) / got, "That is the other way round."),
    }
    given = (alpha, gamma, cost) if verify_cost is None else (alpha, gamma, cost, verify_cost)
    return Case(
        "speculative.speedup",
        "cost of a pass",
        (Call("speedup", given),),
        Number(gain(alpha, gamma, cost, verify), wrong),
    )


def best_case(alpha: float, cost: float, most: int | None = None) -> Case:
    limit = 16 if most is None else most
    wrong = {
        "most-tokens": (
            best(alpha, cost, limit, lambda g: tokens(alpha, g)),
            "The gamma with the most tokens of a pass came back: drafting costs, too.",
        ),
        "k-times-alpha": (
            best(alpha, cost, limit, lambda g: g * alpha / (1 + g * cost)),
            "gamma x alpha is not the number of tokens of a pass.",
        ),
        "always-speculates": (
            best(alpha, cost, limit, least=1),
            "Even the best draft makes this slower: gamma = 0 is allowed, and plain decoding better.",
        ),
        "most-left-out": (best(alpha, cost, limit - 1), "`most` itself is allowed."),
    }
    given = (alpha, cost) if most is None else (alpha, cost, most)
    return Case(
        "speculative.best_gamma",
        "the best of all",
        (Call("best_gamma", given),),
        Number(best(alpha, cost, limit), wrong),
    )


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    alphas = [round(0.35 + 0.05 * ((seed * 3 + i * 5) % 11) + 0.003 * (seed % 7), 3) for i in range(4)]
    return [
        tokens_case(SUM, alphas[0], 4),
        tokens_case(SUM, alphas[1], 1),
        tokens_case(SUM, alphas[2], 9),
        tokens_case(LIMIT, 1.0, 5),
        tokens_case(LIMIT, 0.0, 3),
        tokens_case(LIMIT, alphas[3], 0),
        speedup_case(alphas[0], 4, 0.1),
        speedup_case(alphas[1], 3, 0.05, 1.9),
        speedup_case(1.0, 7, 0.2, 1.1),
        best_case(0.8, 0.1),
        best_case(alphas[2], 0.02),
        best_case(0.2, 0.4),
        best_case(0.9, 0.01, 5),
    ]
