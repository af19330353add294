"""The rule of one step of speculative decoding in plain Python, and the rules that people write instead.

Nothing is judged here: `steps` does that. A rule takes p, q, the drafted tokens and the uniform numbers of
one row, and gives the tokens that the row gains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from llmlab.checks.speculative.rules import Row, chance, left
from llmlab.checks.speculative.worlds import World, pick


@dataclass(frozen=True, eq=False)
class Step:
    """One call on B rows. With a `world`, its law is judged: `weights` (B,) are the rows' probabilities."""

    p: Tensor
    q: Tensor
    drafted: Tensor
    uniforms: Tensor
    world: World | None = None
    weights: Sequence[float] = ()

    @cached_property
    def given(self) -> list[tuple]:
        """p, q, drafted and uniforms of each row as plain lists."""
        return list(
            zip(
                self.p.double().tolist(),
                self.q.double().tolist(),
                self.drafted.tolist(),
                self.uniforms.tolist(),
                strict=True,
            )
        )

    @cached_property
    def right(self) -> list[list[int]]:
        """What each row gains."""
        return [step()(*row) for row in self.given]

    def follows(self, rule: Rule, rows: list[list[int]]) -> bool:
        """True if the rows are those of a rule."""
        return all(rule(*given) == row for given, row in zip(self.given, rows, strict=True))


Rule = Callable[[list[Row], list[Row], list[int], list[float]], list[int]]


def step(
    accept: Callable[[Row, Row, int, float], bool] = lambda p, q, y, u: u < chance(p, q)[y],
    *,
    source: Callable[[Row, Row], Row] = left,
    shift: int = 0,
    reuse: bool = False,
    bonus: str = "target",
    keep_rejected: bool = False,
    replace: bool = True,
    counts_all: bool = False,
    goes_on: bool = False,
    take: Callable[[Row, float], int] = pick,
) -> Rule:
    """A rule of verification for one row. The defaults are the contract; each argument makes it wrong."""

    def rule(p: list[Row], q: list[Row], drafted: list[int], u: list[float]) -> list[int]:
        gamma = len(drafted)
        told = [accept(p[i], q[i], drafted[i], u[i]) for i in range(gamma)]
        count = sum(told) if counts_all else next((i for i, ok in enumerate(told) if not ok), gamma)
        if count == gamma:
            last = {
                "target": lambda: [take(p[-1], u[-1])],
                "draft": lambda: [take(q[-1], u[-1])],
                "place before": lambda: [take(p[-2], u[-1])],
                "none": lambda: [],
            }[bonus]()
            return drafted + last
        at = min(max(count + shift, 0), gamma - 1)
        number = u[count] if reuse else u[-1]
        new = take(source(p[at], q[at]), number) if replace else None
        if goes_on:
            return [
                y if ok else take(source(p[i], q[i]), number)
                for i, (y, ok) in enumerate(zip(drafted, told, strict=True))
            ]
        return [*drafted[: count + keep_rejected], *([new] if new is not None else [])]

    return rule


def greatest(row: Row, _: float = 0.0) -> int:
    return row.index(max(row))


def over(p: Row, q: Row) -> Row:
    return [max(a - b, 0.0) for a, b in zip(p, q, strict=True)]


def apart(p: Row, q: Row) -> Row:
    gap = [abs(a - b) for a, b in zip(p, q, strict=True)]
    return [x / (math.fsum(gap) or 1.0) for x in gap]


def prefers(p: Row, q: Row, y: int, u: float) -> bool:
    return p[y] >= q[y]


def equals(p: Row, q: Row, y: int, u: float) -> bool:
    return y == greatest(p)


TARGET = (
    "A rejected token was replaced by a draw from p: what the draft gave too often comes again. Draw from "
    "the residual."
)
EQUALITY = (
    "A token was accepted if it is the target's most likely one: that is the lecture's rule, right for "
    "greedy decoding only. Accept with probability min(1, p / q)."
)
WRONG: list[tuple[str, Rule, str]] = [
    (
        "accepts-every-draft",
        step(lambda p, q, y, u: True),
        "Every drafted token was accepted: the law is the draft's.",
    ),
    ("accepts-every-draft", step(lambda p, q, y, u: True, bonus="none"), "Every drafted token was accepted."),
    ("resamples-from-target", step(source=lambda p, q: p), TARGET),
    (
        "residual-absolute",
        step(source=apart),
        "The replacement was drawn from |p - q|: tokens with q > p get 0.",
    ),
    (
        "residual-not-renormalised",
        step(source=over),
        "The replacement was drawn from (p - q)+ without dividing by its sum.",
    ),
    ("residual-reversed", step(source=lambda p, q: left(q, p)), "The replacement was drawn from (q - p)+."),
    ("resamples-from-draft", step(source=lambda p, q: q), "The replacement was drawn from the draft's q."),
    ("accepts-if-equal", step(equals), EQUALITY),
    ("accepts-if-equal", step(equals, source=lambda p, q: p), EQUALITY),
    ("accepts-if-equal", step(equals, take=greatest), EQUALITY),
    ("accepts-if-equal", step(lambda p, q, y, u: greatest(p) == greatest(q)), EQUALITY),
    (
        "accepts-only-what-the-target-prefers",
        step(prefers),
        "Tokens with p < q were never accepted: the chance is p / q.",
    ),
    (
        "ratio-upside-down",
        step(lambda p, q, y, u: u < chance(q, p)[y]),
        "Accepted with min(1, q / p): p is above.",
    ),
    ("accepts-with-p-alone", step(lambda p, q, y, u: u < p[y]), "Accepted with probability p: q is missing."),
    (
        "keeps-the-unlikely",
        step(lambda p, q, y, u: u >= chance(p, q)[y]),
        "Accepted where u is NOT below min(1, p / q).",
    ),
    (
        "no-bonus-token",
        step(bonus="none"),
        "All drafts were accepted, and no token was added: p of the last place gives one more for nothing.",
    ),
    (
        "bonus-from-draft",
        step(bonus="draft"),
        "The bonus token was drawn from the draft's distribution. It is the target's.",
    ),
    (
        "bonus-from-the-place-before",
        step(bonus="place before"),
        "The bonus came from p of the last drafted place; it is drawn from the last of the gamma + 1.",
    ),
    (
        "accepts-behind-a-rejection",
        step(counts_all=True),
        "Tokens behind the first rejection were accepted, too: they were "
        "drafted after a token that is not in the text.",
    ),
    (
        "accepts-behind-a-rejection",
        step(goes_on=True),
        "Behind the first rejection the step went on. It ends there.",
    ),
    (
        "residual-of-another-position",
        step(shift=1),
        "The residual is that of the place behind the rejected token.",
    ),
    (
        "residual-of-another-position",
        step(shift=-1),
        "The residual is that of the place before the rejected token.",
    ),
    (
        "one-draw-for-two-decisions",
        step(reuse=True),
        "The uniform number that rejected the token also drew its replacement: "
        "it is known to be large. Draw with the last number.",
    ),
    (
        "argmax-of-the-residual",
        step(take=greatest),
        "The largest probability was taken where a token should be drawn.",
    ),
    (
        "drops-the-replacement",
        step(replace=False),
        "A rejected token was dropped and not replaced: the pass then may gain "
        "nothing, and what it gains is not the target's law.",
    ),
    (
        "keeps-the-rejected",
        step(keep_rejected=True),
        "The rejected token stayed in front of its replacement.",
    ),
]


def one_count(case: Step) -> list[list[int]]:
    """Wrong: all rows gain as many tokens as the one that gains fewest, and lose their last ones."""
    return [row[: min(map(len, case.right))] for row in case.right]
