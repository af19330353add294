"""Checks of verify: one step of speculative decoding, proved exact by enumeration.

All probabilities of an enumeration are quarters, and the uniform numbers are the middles of quarters. So the sum over all
drafts (with their probabilities) and all numbers is the integral itself, not an estimate: the law of what is gained,
continued by the target up to gamma + 1 tokens, must be the target's joint law to 1e-6. Any exact rule passes there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from llmlab.checks.compare import mutation, show, value_of
from llmlab.checks.protocol import PASS, Call, Case, Event, Output, Raised, Task, Verdict
from llmlab.checks.speculative import rules, worlds
from llmlab.checks.speculative.rules import Row, chance, left
from llmlab.checks.speculative.worlds import Context, World, pick

__all__ = ["TASKS", "cases", "judge"]

TASK = "speculative.verify"
LAW, ROWS = "the target's law, by enumeration", "every row its own number"
ONE_HOT, EQUAL = "one-hot drafts and greedy targets", "equal models: all accepted, and a bonus"
TASKS = (
    Task(TASK, "lab5", "accept drafted tokens, replace the first rejected one, or add a bonus", {
        LAW: 4, ROWS: 2, ONE_HOT: 2, EQUAL: 2}, "part4/speculative.html#sec-verify"),
)
EXACT = 1e-6
"""Total variation, and tokens gained, that an enumeration may be off by: float32 probabilities need about 1e-7."""


@dataclass(frozen=True, eq=False)
class Step:
    """One call on B rows. With a `world`, its law is judged: `weights` (B,) are the probabilities of the rows."""

    p: Tensor
    q: Tensor
    drafted: Tensor
    uniforms: Tensor
    world: World | None = None
    weights: Sequence[float] = ()

    @cached_property
    def given(self) -> list[tuple]:
        """p, q, drafted and uniforms of each row as plain lists."""
        return list(zip(self.p.double().tolist(), self.q.double().tolist(), self.drafted.tolist(), self.uniforms.tolist(),
                        strict=True))

    @cached_property
    def right(self) -> list[list[int]]:
        """What each row gains."""
        return [step()(*row) for row in self.given]

    def follows(self, rule: Rule, rows: list[list[int]]) -> bool:
        """True if the rows are those of a rule."""
        return all(rule(*given) == row for given, row in zip(self.given, rows, strict=True))


Rule = Callable[[list[Row], list[Row], list[int], list[float]], list[int]]


def step(accept: Callable[[Row, Row, int, float], bool] = lambda p, q, y, u: u < chance(p, q)[y], *,
         source: Callable[[Row, Row], Row] = left, shift: int = 0, reuse: bool = False, bonus: str = "target",
         keep_rejected: bool = False, replace: bool = True, counts_all: bool = False, goes_on: bool = False,
         take: Callable[[Row, float], int] = pick) -> Rule:
    """A rule of verification for one row. The defaults are the contract; each argument makes it wrong."""
    def rule(p: list[Row], q: list[Row], drafted: list[int], u: list[float]) -> list[int]:
        gamma = len(drafted)
        told = [accept(p[i], q[i], drafted[i], u[i]) for i in range(gamma)]
        count = sum(told) if counts_all else next((i for i, ok in enumerate(told) if not ok), gamma)
        if count == gamma:
            last = {"target": lambda: [take(p[-1], u[-1])], "draft": lambda: [take(q[-1], u[-1])],
                    "place before": lambda: [take(p[-2], u[-1])], "none": lambda: []}[bonus]()
            return drafted + last
        at = min(max(count + shift, 0), gamma - 1)
        number = u[count] if reuse else u[-1]
        new = take(source(p[at], q[at]), number) if replace else None
        if goes_on:
            return [y if ok else take(source(p[i], q[i]), number) for i, (y, ok) in enumerate(zip(drafted, told, strict=True))]
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


TARGET = "A rejected token was replaced by a draw from p: what the draft gave too often comes again. Draw from the residual."
EQUALITY = ("A token was accepted if it is the target's most likely one: that is the lecture's rule, right for greedy decoding "
            "only. Accept with probability min(1, p / q).")
WRONG: list[tuple[str, Rule, str]] = [
    ("accepts-every-draft", step(lambda p, q, y, u: True), "Every drafted token was accepted: the law is the draft's."),
    ("accepts-every-draft", step(lambda p, q, y, u: True, bonus="none"), "Every drafted token was accepted."),
    ("resamples-from-target", step(source=lambda p, q: p), TARGET),
    ("residual-absolute", step(source=apart), "The replacement was drawn from |p - q|: tokens with q > p get 0."),
    ("residual-not-renormalised", step(source=over), "The replacement was drawn from (p - q)+ without dividing by its sum."),
    ("residual-reversed", step(source=lambda p, q: left(q, p)), "The replacement was drawn from (q - p)+."),
    ("resamples-from-draft", step(source=lambda p, q: q), "The replacement was drawn from the draft's q."),
    ("accepts-if-equal", step(equals), EQUALITY),
    ("accepts-if-equal", step(equals, source=lambda p, q: p), EQUALITY),
    ("accepts-if-equal", step(equals, take=greatest), EQUALITY),
    ("accepts-if-equal", step(lambda p, q, y, u: greatest(p) == greatest(q)), EQUALITY),
    ("accepts-only-what-the-target-prefers", step(prefers), "Tokens with p < q were never accepted: the chance is p / q."),
    ("ratio-upside-down", step(lambda p, q, y, u: u < chance(q, p)[y]), "Accepted with min(1, q / p): p is above."),
    ("accepts-with-p-alone", step(lambda p, q, y, u: u < p[y]), "Accepted with probability p: q is missing."),
    ("keeps-the-unlikely", step(lambda p, q, y, u: u >= chance(p, q)[y]), "Accepted where u is NOT below min(1, p / q)."),
    ("no-bonus-token", step(bonus="none"), "All drafts were accepted, and no token was added: p of the last place gives one "
                                           "more for nothing."),
    ("bonus-from-draft", step(bonus="draft"), "The bonus token was drawn from the draft's distribution. It is the target's."),
    ("bonus-from-the-place-before", step(bonus="place before"), "The bonus came from p of the last drafted place; it is drawn "
                                                                "from the last of the gamma + 1."),
    ("accepts-behind-a-rejection", step(counts_all=True), "Tokens behind the first rejection were accepted, too: they were "
                                                          "drafted after a token that is not in the text."),
    ("accepts-behind-a-rejection", step(goes_on=True), "Behind the first rejection the step went on. It ends there."),
    ("residual-of-another-position", step(shift=1), "The residual is that of the place behind the rejected token."),
    ("residual-of-another-position", step(shift=-1), "The residual is that of the place before the rejected token."),
    ("one-draw-for-two-decisions", step(reuse=True), "The uniform number that rejected the token also drew its replacement: "
                                                     "it is known to be large. Draw with the last number."),
    ("argmax-of-the-residual", step(take=greatest), "The largest probability was taken where a token should be drawn."),
    ("drops-the-replacement", step(replace=False), "A rejected token was dropped and not replaced: the pass then may gain "
                                                   "nothing, and what it gains is not the target's law."),
    ("keeps-the-rejected", step(keep_rejected=True), "The rejected token stayed in front of its replacement."),
]


def one_count(case: Step) -> list[list[int]]:
    """Wrong: all rows gain as many tokens as the one that gains fewest; a longer one loses its own last tokens."""
    return [row[: min(map(len, case.right))] for row in case.right]


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """The rows themselves, or their law where a world says what it should be."""
    want, last = case.expect, outputs[-1]
    got, bad = value_of(last)
    if bad:
        return named_raise(want, last) or bad
    rows = gained(want, got)
    if isinstance(rows, Verdict):
        return rows
    right = want.right
    if rows == right:
        return mutation(last)
    far, said = None, ""
    if want.world:
        far, mean = law_of(want, rows)
        if far <= EXACT and abs(mean - law_of(want, right)[1]) <= EXACT:
            return mutation(last)
        said = (f"Over all drafts and numbers the tokens are {far:.4f} from the target's law in total variation, and "
                f"{mean:.4f} tokens are gained on average instead of {law_of(want, right)[1]:.4f}.")
    at = next(i for i, (a, b) in enumerate(zip(rows, right, strict=True)) if a != b)
    shown = f"row {at}: {right[at]}", f"row {at}: {rows[at]}"
    for name, rule, words in WRONG:
        if want.follows(rule, rows):
            return Verdict(False, f"{words} {said}".strip(), *shown, name)
    if one_count(want) == rows:
        return Verdict(False, "All rows gained as many tokens as the one that gains fewest. Each has its own number.", *shown,
                       "one-count-for-the-batch")
    drafted = want.drafted[at].tolist()
    return Verdict(False, f"Row {at}, drafted {drafted}, uniforms {[round(u, 3) for u in want.uniforms[at].tolist()]}: "
                          f"another result. {said}".strip(), *shown)


def named_raise(want: Step, output: Output) -> Verdict | None:
    """torch.multinomial and friends refuse NaN: named, since the cause is a residual of nothing."""
    if isinstance(output, Raised) and any(word in output.message for word in ("inf`, `nan`", "nan", "sum(")):
        return Verdict(False, f"The draw failed ({output.message}): where p equals q the residual is 0 / 0.", "a token",
                       output.kind, "divides-by-zero")
    return None


def gained(want: Step, got: object) -> list[list[int]] | Verdict:
    """The rows that came back, as lists."""
    shape = f"{len(want.drafted)} lists of tokens"
    if not isinstance(got, list | tuple) or len(got) != len(want.drafted):
        return Verdict(False, f"Expected one list of tokens for each row, {shape}.", shape, show(got)[:200])
    rows = [row.tolist() if isinstance(row, Tensor) and row.dim() == 1 else row for row in got]
    vocab = want.p.shape[-1]
    for row in rows:
        if not isinstance(row, list | tuple) or not all(type(t) is int and 0 <= t < vocab for t in row):
            return Verdict(False, f"Expected lists of token ids from 0 to {vocab - 1}.", shape, show(row)[:200])
    return [list(row) for row in rows]


def law_of(want: Step, rows: list[list[int]]) -> tuple[float, float]:
    """(total variation to the target's joint law of gamma + 1 tokens, tokens gained on average)."""
    count = want.p.shape[1]
    found: dict[Context, float] = {}
    for row, weight in zip(rows, want.weights, strict=True):
        key = tuple(row[:count])
        found[key] = found.get(key, 0.0) + weight
    law: dict[Context, float] = {}
    for new, mass in found.items():
        for rest, p in worlds.joint(want.world, new, count - len(new)).items():
            law[(*new, *rest)] = law.get((*new, *rest), 0.0) + mass * p
    mean = math.fsum(w * len(row) for row, w in zip(rows, want.weights, strict=True))
    return worlds.variation(law, worlds.joint(want.world, (), count)), mean


def call(group: str, want: Step, shown: str) -> Case:
    return Case(TASK, group, (Call("verify", (want.p, want.q, want.drafted, want.uniforms)),), want, shown)


def telling(seed: int, vocab: int, gamma: int) -> Case:
    """An enumeration in which the number that rejected a token, used again, leads to another law.

    For that a token must be rejected half of the time, and two tokens must be left to draw from.
    """
    while True:
        case = enumerated(seed, vocab, gamma)
        rows = [step(reuse=True)(*given) for given in case.expect.given]
        if law_of(case.expect, rows)[0] > EXACT:
            return case
        seed += 1_000


def enumerated(seed: int, vocab: int, gamma: int) -> Case:
    """All drafts, each with all combinations of uniform numbers."""
    world, numbers = worlds.quarters(seed, vocab), worlds.grid(*[4] * (gamma + 1))
    p, q, drafted, weights = [], [], [], []
    for draft in itertools.product(range(vocab), repeat=gamma):
        laws = [world.law(draft[:i], draft=True) for i in range(gamma)]
        mass = math.prod(law[y] for law, y in zip(laws, draft, strict=True))
        if mass:
            p.append([world.law(draft[:i]) for i in range(gamma + 1)])
            q.append(laws)
            drafted.append(draft)
            weights += [mass / len(numbers)] * len(numbers)
    rows = [torch.tensor(x).repeat_interleave(len(numbers), 0) for x in (p, q, drafted)]
    want = Step(*rows, numbers.repeat(len(drafted), 1), world, weights)
    return call(LAW, want, f"verify on {len(weights)} rows: every draft of {gamma} out of {vocab} tokens, with uniforms from "
                           "1/8, 3/8, 5/8, 7/8 in every place")


def drawn(group: str, generator: torch.Generator, batch: int, gamma: int, vocab: int, *, greedy: str = "", equal: bool = False,
          dtype: torch.dtype = torch.float32) -> Case:
    """Random distributions, with uniform numbers far from every threshold. `greedy`: one-hot "p", "q" or both, "pq"."""
    kept: list[tuple[Tensor, ...]] = []
    while len(kept) < batch:
        p, q = rules.laws(generator, gamma + 1, vocab, dtype=dtype), rules.laws(generator, gamma, vocab, dtype=dtype)
        if equal:
            q = p[:gamma].clone()
        if "p" in greedy:
            p = torch.nn.functional.one_hot(p.argmax(-1), vocab).to(dtype)
        if "q" in greedy:
            best = torch.where(torch.rand(gamma, generator=generator) < 0.7, p[:gamma].argmax(-1), q.argmax(-1))
            q = torch.nn.functional.one_hot(best, vocab).to(dtype)
        drafted = torch.multinomial(q, 1, generator=generator)[:, 0]
        uniforms = torch.rand(gamma + 1, generator=generator, dtype=torch.float64)
        if clear(p, q, drafted, uniforms):
            kept.append((p, q, drafted, uniforms))
    want = Step(*(torch.stack(column) for column in zip(*kept, strict=True)))
    return call(group, want, f"verify(p {tuple(want.p.shape)}, q {tuple(want.q.shape)}, drafted, uniforms) of random "
                             f"distributions{' that are equal' if equal else ''}{', one-hot ' + greedy if greedy else ''}")


def clear(p: Tensor, q: Tensor, drafted: Tensor, uniforms: Tensor) -> bool:
    """True if no uniform number is within 1e-3 of a threshold, so that rounding decides nothing."""
    gamma, u = len(drafted), uniforms.tolist()
    p, q = p.double().tolist(), q.double().tolist()
    if any(abs(u[i] - chance(p[i], q[i])[y]) < 1e-3 for i, y in enumerate(drafted.tolist())):
        return False
    for law in [*(left(p[i], q[i]) for i in range(gamma)), p[gamma]]:
        if any(abs(u[gamma] - edge) < 1e-3 for edge in itertools.accumulate(law)):
            return False
    return True


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(52_000 + seed)
    return [
        enumerated(10 * seed, 3, 2),
        telling(10 * seed + 1, 4, 1),
        drawn(ROWS, generator, 40, 4, 6),
        drawn(ROWS, generator, 1, 3, 9, dtype=torch.float64),
        drawn(ONE_HOT, generator, 24, 3, 5, greedy="q"),
        drawn(ONE_HOT, generator, 24, 3, 5, greedy="pq"),
        drawn(EQUAL, generator, 12, 3, 7, equal=True),
        drawn(EQUAL, generator, 12, 1, 4, equal=True),
    ]
