"""Checks of distillation_loss and distillation_gradient. Oracles: the sums, written out in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from llmlab.checks.judging import Expect, judge
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

LOSS, GRADIENT = "compression.distillation_loss", "compression.distillation_gradient"
SOFT, MIXED = "the teacher's part alone", "both parts"
BOTH, HOT = "both parts", "a high temperature"
READ = "part4/compression.html#sec-distillation"
TASKS = (
    Task(LOSS, "lab6", "learn from a teacher's distribution and from the text", {SOFT: 1, MIXED: 2}, READ),
    Task(GRADIENT, "lab6", "find what the loss asks of each logit", {BOTH: 1, HOT: 1}, READ),
)
Row = Sequence[float]


def softmax(row: Row, tau: float = 1.0) -> list[float]:
    top = max(row)
    raised = [math.exp((x - top) / tau) for x in row]
    total = math.fsum(raised)
    return [x / total for x in raised]


def kl(p: Row, q: Row) -> float:
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def mean(values: Row) -> float:
    return math.fsum(values) / len(values)


class Batch:
    """Logits and targets as lists, with the two parts of the loss under several rules."""

    def __init__(self, student: Tensor, teacher: Tensor, targets: Tensor, tau: float, mix: float):
        self.s, self.t, self.y = student.double().tolist(), teacher.double().tolist(), targets.tolist()
        self.tau, self.mix = tau, mix

    def soft(self, ours: float | None = None, theirs: float | None = None,
             rule: Callable[[Row, Row], float] = kl) -> list[float]:  # fmt: skip
        """KL of each position, at these temperatures."""
        ours, theirs = ours or self.tau, theirs or self.tau
        return [rule(softmax(t, theirs), softmax(s, ours)) for s, t in zip(self.s, self.t, strict=True)]

    def hard(self, tau: float = 1.0) -> list[float]:
        return [-math.log(softmax(s, tau)[y]) for s, y in zip(self.s, self.y, strict=True)]

    def loss(self, soft: Row | None = None, hard: Row | None = None, factor: float | None = None,
             mix: float | None = None) -> float:  # fmt: skip
        """The oracle, and with other parts the mistakes."""
        mix = self.mix if mix is None else mix
        factor = self.tau**2 if factor is None else factor
        return mix * factor * mean(self.soft() if soft is None else soft) + (1 - mix) * mean(hard or self.hard())

    def over_the_batch(self) -> float:
        """The soft part with a softmax down the columns."""
        s, t = (list(map(list, zip(*rows, strict=True))) for rows in (self.s, self.t))
        total = math.fsum(kl(softmax(b, self.tau), softmax(a, self.tau)) for a, b in zip(s, t, strict=True))
        return self.mix * self.tau**2 * total / len(self.s) + (1 - self.mix) * mean(self.hard())

    def gradient(self, factor: float | None = None, each: float | None = None, mix: float | None = None) -> Tensor:
        """The oracle: the derivative by every logit. `factor` stands before the soft part, `each` before all."""
        mix = self.mix if mix is None else mix
        factor, each = self.tau if factor is None else factor, 1 / len(self.s) if each is None else each
        out = []
        for s, t, y in zip(self.s, self.t, self.y, strict=True):
            plain, ours, theirs = softmax(s), softmax(s, self.tau), softmax(t, self.tau)
            out.append([each * (mix * factor * (ours[v] - theirs[v]) + (1 - mix) * (plain[v] - (v == y)))
                        for v in range(len(s))])  # fmt: skip
        return torch.tensor(out, dtype=torch.float64)

    def reversed_gradient(self) -> Tensor:
        """Of KL(student || teacher): p (ln p/q - KL), times tau."""
        out = []
        for s, t, y in zip(self.s, self.t, self.y, strict=True):
            plain, p, q = softmax(s), softmax(s, self.tau), softmax(t, self.tau)
            far = kl(p, q)
            out.append([(self.mix * self.tau * p[v] * (math.log(p[v] / q[v]) - far)
                         + (1 - self.mix) * (plain[v] - (v == y))) / len(self.s) for v in range(len(s))])  # fmt: skip
        return torch.tensor(out, dtype=torch.float64)


def drawn(generator: torch.Generator, n: int, vocab: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of student and teacher, and targets; float64, so that rounding hides nothing at a high temperature."""
    student, teacher = (torch.randn(n, vocab, generator=generator, dtype=torch.float64) * 1.5 for _ in range(2))
    return student, teacher, torch.randint(vocab, (n,), generator=generator)


def loss_case(group: str, given: tuple[Tensor, Tensor, Tensor], tau: float, mix: float) -> Case:
    """One call of distillation_loss."""
    batch = Batch(*given, tau, mix)
    n, vocab = given[0].shape
    entropy = [-math.fsum(p * math.log(p) for p in softmax(t, tau)) for t in batch.t]
    values = {
        "kl-reversed": (batch.loss(batch.soft(rule=lambda p, q: kl(q, p))),
                        "KL(student || teacher) was used. The teacher stands first: F.kl_div(student's "
                        "log-probabilities, "
                        "teacher's) is KL(teacher || student)."),
        "tau-squared-missing": (batch.loss(factor=1.0), "The factor tau^2 is missing: the softer the "
                                                        "distributions, the "
                                                        "smaller their gradients, by 1/tau^2."),
        "tau-not-squared": (batch.loss(factor=tau), "The factor is tau; it is tau^2."),
        "temperature-on-one-side": (batch.loss(batch.soft(theirs=1.0)),
                                    "The teacher's logits were not divided by tau. Both are."),
        "temperature-on-the-teacher-only": (batch.loss(batch.soft(ours=1.0)),
                                            "The student's logits were not divided by tau. Both are."),
        "temperature-missing": (batch.loss(batch.soft(1.0, 1.0)), "No logits were divided by tau."),
        "temperature-multiplied": (batch.loss(batch.soft(1 / tau, 1 / tau)),
                                   "The logits were multiplied by tau. Divide: a high temperature is flat."),
        "mix-swapped": (batch.loss(mix=1 - mix), "mix and 1 - mix were swapped: mix weighs the teacher's part."),
        "softmax-over-the-batch": (batch.over_the_batch(),
                                   "The softmax ran over the positions. It runs over the vocabulary."),
        "mean-over-the-vocabulary-too": (batch.loss([x / vocab for x in batch.soft()]),
                                         "The KL was divided by V as well (reduction='mean'). Sum over the "
                                         "vocabulary, and "
                                         "mean over positions: 'batchmean'."),
        "sum-over-positions": (batch.loss([x * n for x in batch.soft()]), "The KL was summed over positions. "
                                                                          "Take the mean."),
        "cross-entropy-instead-of-kl": (batch.loss([a + b for a, b in zip(batch.soft(), entropy, strict=True)]),
                                        "The teacher's entropy is in it: this is the cross-entropy to the "
                                        "teacher. Its "
                                        "gradient is the same, but it is not 0 when both agree."),
        "hard-part-with-temperature": (batch.loss(hard=batch.hard(tau)),
                                       "The cross-entropy was taken at the temperature. It has none."),
        "squared-logits": (batch.loss([math.fsum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / vocab
                                       for s, t in zip(batch.s, batch.t, strict=True)]),
                           "The squared difference of the logits was used; a KL is asked for."),
    }  # fmt: skip
    wrong = {name: (torch.tensor(value, dtype=torch.float64), words) for name, (value, words) in values.items()}
    expect = Expect(torch.tensor(batch.loss(), dtype=torch.float64), wrong, 1e-6)
    return Case(LOSS, group, (Call("distillation_loss", (*given, tau, mix)),), expect,
                f"distillation_loss(student, teacher of shape {n, vocab}, targets, {tau}, {mix})")  # fmt: skip


def gradient_case(group: str, given: tuple[Tensor, Tensor, Tensor], tau: float, mix: float) -> Case:
    """One call of distillation_gradient."""
    batch = Batch(*given, tau, mix)
    n = len(given[0])
    wrong = {
        "sign-turned": (-batch.gradient(), "The sign is turned round: the gradient points where the loss grows."),
        "tau-squared-missing": (batch.gradient(1 / tau), "The teacher's part is too small by tau^2: the factor "
                                                         "in the loss "
                                                         "is missing."),
        "tau-not-squared": (batch.gradient(1.0), "The teacher's part is too small by tau: the factor in the "
                                                 "loss is tau^2."),
        "chain-rule-forgotten": (batch.gradient(tau**2),
                                 "The teacher's part is too large by tau: the logits are divided by tau, and so "
                                 "is the "
                                 "gradient."),
        "kl-reversed": (batch.reversed_gradient(), "This is the gradient of KL(student || teacher)."),
        "sum-over-positions": (batch.gradient(each=1.0), "The gradient of the sum came back; the loss is the mean."),
        "mean-over-the-vocabulary-too": (batch.gradient(tau / given[0].shape[1]), "The KL was divided by V as well."),
        "mix-swapped": (batch.gradient(mix=1 - mix), "mix and 1 - mix were swapped: mix weighs the teacher's part."),
    }  # fmt: skip
    expect = Expect(batch.gradient(), wrong, 1e-6)
    return Case(GRADIENT, group, (Call("distillation_gradient", (*given, tau, mix)),), expect,
                f"distillation_gradient(student, teacher of shape {n, given[0].shape[1]}, targets, {tau:g}, "
                f"{mix})")  # fmt: skip


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(98_000 + seed)
    return [
        loss_case(SOFT, drawn(generator, 4, 6), 2.0, 1.0),
        loss_case(SOFT, drawn(generator, 1, 5), 1.0, 1.0),
        loss_case(MIXED, drawn(generator, 5, 7), 3.0, 0.7),
        loss_case(MIXED, drawn(generator, 3, 9), 1.5, 0.25),
        gradient_case(BOTH, drawn(generator, 4, 6), 2.5, 0.6),
        gradient_case(HOT, drawn(generator, 3, 5), 400.0, 1.0),
    ]
