"""Checks of typical acceptance and of what comes out of it. Oracles: the definitions, token by token."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from llmlab.checks.judging import Expect, judge
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

RULE, OUTPUT = "medusa.typical_acceptance", "medusa.typical_output"
SURE, ZERO = "the smaller of two thresholds", "impossible tokens"
ONE = "one draft, exactly"
READ = "part4/medusa.html#sec-typical"
TASKS = (
    Task(RULE, "lab5", "accept a token that is likely enough for how sure the target is", {SURE: 1, ZERO: 1}, READ),
    Task(OUTPUT, "lab5", "compute the distribution that typical acceptance really samples", {ONE: 2}, READ),
)  # fmt: skip
Limit = Callable[[float, float, float], float]


def entropy(p: Sequence[float]) -> float:
    """In nats."""
    return -math.fsum(x * math.log(x) for x in p if x > 0)


def limit(e: float, d: float, h: float) -> float:
    """The oracle's threshold."""
    return min(e, d * math.exp(-h))


LIMITS: dict[str, tuple[Limit, str]] = {
    "larger-threshold": (lambda e, d, h: max(e, d * math.exp(-h)),
                         "The larger of the two thresholds decided, or one of them alone. Both are needed, and the "
                         "smaller one decides: min(epsilon, delta * exp(-H))."),
    "entropy-sign": (lambda e, d, h: min(e, d * math.exp(h)),
                     "exp(H) was used. It is exp(-H): an unsure target asks for less, not for more."),
    "entropy-in-bits": (lambda e, d, h: min(e, d * math.exp(-h / math.log(2))),
                        "The entropy was taken in bits. Under exp it belongs in nats."),
    "entropy-missing": (lambda e, d, h: min(e, d), "The entropy was left out."),
    "entropy-not-an-exponent": (lambda e, d, h: min(e, d * h), "delta was multiplied by H; it is exp(-H)."),
    "accepts-everything": (lambda e, d, h: -1.0, "Every token was accepted."),
    "entropy-is-nan": (lambda e, d, h: math.inf,
                       "Nothing was accepted. A token of probability 0 makes 0 * log 0 = nan: count it as 0."),
}  # fmt: skip


def passed(p: Sequence[float], epsilon: float, delta: float, rule: Limit = limit) -> list[bool]:
    """Which tokens go through."""
    least = rule(epsilon, delta, entropy(p))
    return [x > least for x in p]


def rule_case(group: str, p: Tensor, epsilon: float, delta: float) -> Case:
    """One call of typical_acceptance."""
    row = p.double().tolist()
    wrong = {name: (torch.tensor(passed(row, epsilon, delta, rule)), words) for name, (rule, words) in LIMITS.items()}
    right = torch.tensor(passed(row, epsilon, delta))
    if 0.0 in row:  # then this comes first: nothing accepted
        wrong = {"entropy-is-nan": wrong.pop("entropy-is-nan")} | wrong
    wrong["rejects-and-accepts-swapped"] = (~right, "True and False are swapped: True means accepted.")
    return Case(RULE, group, (Call("typical_acceptance", (p, epsilon, delta)),), Expect(right, wrong))


def mixed(p: Sequence[float], q: Sequence[float], goes: Sequence[bool]) -> Tensor:
    """The oracle: every draft, every outcome, added up."""
    out = [0.0] * len(p)
    for draft, chance in enumerate(q):
        if goes[draft]:
            out[draft] += chance
        else:
            for token, probability in enumerate(p):
                out[token] += chance * probability
    return torch.tensor(out)


def output_case(p: Tensor, q: Tensor, epsilon: float, delta: float) -> Case:
    """One call of typical_output."""
    rows = p.double().tolist(), q.double().tolist()
    goes = passed(rows[0], epsilon, delta)
    stays = torch.where(torch.tensor(goes), q.double(), 0.0)
    left = (p - q).double().clamp(min=0)
    wrong = {
        "accepts-everything": (q, "This is q: every draft was accepted."),
        "pretends-to-be-lossless": (p, "This is p. It would be, if the rule were lossless. Follow the draft: "
                                       "accepted "
                                       "it stays, whatever p says."),
        "rejected-mass-lost": (stays.float(), "The result does not add up to 1: a rejected draft is replaced by a "
                                              "token drawn from p."),
        "renormalises-the-accepted": ((stays / stays.sum()).float(),
                                      "The accepted tokens were scaled up. A rejected draft is replaced by a token "
                                      "drawn from p."),
        "draws-from-the-residual": ((stays + (1 - stays.sum()) * left / left.sum()).float(),
                                    "Rejected drafts were replaced from the residual (p - q)+. Typical acceptance "
                                    "draws from p."),
        "adds-p-whole": ((stays + p).float(), "p was added whole. It counts as often as a draft is rejected."),
        "draft-and-target-swapped": (mixed(rows[1], rows[0], passed(rows[1], epsilon, delta)),
                                     "p and q were swapped: p is the target, q the draft."),
        **{name: (mixed(*rows, passed(rows[0], epsilon, delta, rule)), words) for name, (rule, words) in LIMITS.items()
           if name not in ("accepts-everything", "entropy-is-nan")},
    }  # fmt: skip
    return Case(OUTPUT, ONE, (Call("typical_output", (p, q, epsilon, delta)),), Expect(mixed(*rows, goes), wrong))


SOFT = ("larger-threshold", "entropy-sign", "entropy-in-bits", "entropy-missing", "entropy-not-an-exponent")
STEPS = (0.52, 0.2, 0.12, 0.04, 0.04, 0.04, 0.015, 0.015, 0.01)
"""With epsilon 0.6 and delta 0.1 there is a probability between any two of the thresholds that may be meant."""


def clear(p: Tensor, epsilon: float, delta: float, names: Sequence[str]) -> bool:
    """No probability near a threshold, and each of these mistakes makes another answer."""
    row = p.double().tolist()
    rules = [limit, *(LIMITS[name][0] for name in names)]
    near = any(abs(x - rule(epsilon, delta, entropy(row))) < 1e-3 for x in row for rule in rules)
    return not near and len({tuple(passed(row, epsilon, delta, rule)) for rule in rules}) == len(rules)


def unsure(generator: torch.Generator, zeros: int = 0) -> Tensor:
    """A distribution whose threshold is delta * exp(-H), by epsilon 0.6 and delta 0.1."""
    while True:
        steps = torch.tensor(STEPS) * (1 + 0.04 * torch.randn(len(STEPS), generator=generator))
        p = torch.cat([steps / steps.sum(), torch.zeros(zeros)])
        p = p[torch.randperm(len(p), generator=generator)]
        if clear(p, 0.6, 0.1, SOFT):
            return p


def sure(generator: torch.Generator) -> Tensor:
    """A distribution whose threshold is epsilon, by epsilon 0.05 and delta 0.6."""
    while True:
        p = (torch.randn(10, generator=generator) * 2.2).softmax(-1)
        if clear(p, 0.05, 0.6, SOFT[:1]):
            return p


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(94_000 + seed)
    targets = unsure(generator), sure(generator), unsure(generator, zeros=3)
    drafts = [(torch.randn(len(p), generator=generator) * 1.2).softmax(-1) for p in targets]
    limits = ((0.6, 0.1), (0.05, 0.6), (0.6, 0.1))
    made = [rule_case(group, p, *at) for group, p, at in zip((SURE, SURE, ZERO), targets, limits, strict=True)]
    return made + [output_case(p, q, *at) for p, q, at in zip(targets, drafts, limits, strict=True)]
