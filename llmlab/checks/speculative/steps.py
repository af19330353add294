"""Checks of verify: one step of speculative decoding, proved exact by enumeration.

All probabilities of an enumeration are quarters, and the uniform numbers are the middles of quarters. So
the sum over all drafts (with their probabilities) and all numbers is the integral itself, not an
estimate: the law of what is gained, continued by the target up to gamma + 1 tokens, must be the target's
joint law to 1e-6. Any exact rule passes there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from llmlab.checks.compare import mutation, show, value_of
from llmlab.checks.protocol import Call, Case, Event, Output, Raised, Task, Verdict
from llmlab.checks.speculative import rules, worlds
from llmlab.checks.speculative.rules import chance, left
from llmlab.checks.speculative.verifying import WRONG, Step, one_count, step
from llmlab.checks.speculative.worlds import Context

__all__ = ["TASKS", "cases", "judge"]

TASK = "speculative.verify"
LAW, ROWS = "the target's law, by enumeration", "every row its own number"
ONE_HOT, EQUAL = "one-hot drafts and greedy targets", "equal models: all accepted, and a bonus"
TASKS = (
    Task(
        TASK,
        "lab5",
        "accept drafted tokens, replace the first rejected one, or add a bonus",
        {LAW: 4, ROWS: 2, ONE_HOT: 2, EQUAL: 2},
        "part4/speculative.html#sec-verify",
    ),
)
EXACT = 1e-6
"""Total variation, and tokens gained, that an enumeration may be off by. float32 needs about 1e-7."""


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
        said = (
            f"Over all drafts and numbers the tokens are {far:.4f} from the target's law in total variation, "
            f"and {mean:.4f} tokens are gained on average instead of {law_of(want, right)[1]:.4f}."
        )
    at = next(i for i, (a, b) in enumerate(zip(rows, right, strict=True)) if a != b)
    shown = f"row {at}: {right[at]}", f"row {at}: {rows[at]}"
    for name, rule, words in WRONG:
        if want.follows(rule, rows):
            return Verdict(False, f"{words} {said}".strip(), *shown, name)
    if one_count(want) == rows:
        return Verdict(
            False,
            "All rows gained as many tokens as the one that gains fewest. Each has its own number.",
            *shown,
            "one-count-for-the-batch",
        )
    drafted = want.drafted[at].tolist()
    return Verdict(
        False,
        f"Row {at}, drafted {drafted}, uniforms {[round(u, 3) for u in want.uniforms[at].tolist()]}: "
        f"another result. {said}".strip(),
        *shown,
    )


def named_raise(want: Step, output: Output) -> Verdict | None:
    """torch.multinomial and friends refuse NaN: named, since the cause is a residual of nothing."""
    if isinstance(output, Raised) and any(word in output.message for word in ("inf`, `nan`", "nan", "sum(")):
        return Verdict(
            False,
            f"The draw failed ({output.message}): where p equals q the residual is 0 / 0.",
            "a token",
            output.kind,
            "divides-by-zero",
        )
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
            return Verdict(
                False, f"Expected lists of token ids from 0 to {vocab - 1}.", shape, show(row)[:200]
            )
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
    return call(
        LAW,
        want,
        f"verify on {len(weights)} rows: every draft of {gamma} out of {vocab} tokens, with uniforms from "
        "1/8, 3/8, 5/8, 7/8 in every place",
    )


def drawn(
    group: str,
    generator: torch.Generator,
    batch: int,
    gamma: int,
    vocab: int,
    *,
    greedy: str = "",
    equal: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Case:
    """Random distributions, with numbers far from every threshold. `greedy`: one-hot "p", "q" or "pq"."""
    kept: list[tuple[Tensor, ...]] = []
    while len(kept) < batch:
        p, q = (
            rules.laws(generator, gamma + 1, vocab, dtype=dtype),
            rules.laws(generator, gamma, vocab, dtype=dtype),
        )
        if equal:
            q = p[:gamma].clone()
        if "p" in greedy:
            p = torch.nn.functional.one_hot(p.argmax(-1), vocab).to(dtype)
        if "q" in greedy:
            best = torch.where(
                torch.rand(gamma, generator=generator) < 0.7, p[:gamma].argmax(-1), q.argmax(-1)
            )
            q = torch.nn.functional.one_hot(best, vocab).to(dtype)
        drafted = torch.multinomial(q, 1, generator=generator)[:, 0]
        uniforms = torch.rand(gamma + 1, generator=generator, dtype=torch.float64)
        if clear(p, q, drafted, uniforms):
            kept.append((p, q, drafted, uniforms))
    want = Step(*(torch.stack(column) for column in zip(*kept, strict=True)))
    return call(
        group,
        want,
        f"verify(p {tuple(want.p.shape)}, q {tuple(want.q.shape)}, drafted, uniforms) of random "
        f"distributions{' that are equal' if equal else ''}{', one-hot ' + greedy if greedy else ''}",
    )


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
