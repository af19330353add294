"""Checks of perplexity and drift: which token a row of logits predicts, over what is averaged, which way round."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from llmlab.checks.calibration.parts_judged import Result, judge, normal
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

PERPLEXITY, DRIFT = "calibration.perplexity", "calibration.drift"
SHIFT, LENGTHS = "which token is predicted", "sequences of several lengths"
KL, AGREE = "divergence", "agreement"
READ = "part4/calibration.html#sec-measures"
TASKS = (
    Task(PERPLEXITY, "lab6", "how well a model predicts a text", {SHIFT: 1, LENGTHS: 1}, READ),
    Task(DRIFT, "lab6", "how far one model is from another", {KL: 1, AGREE: 1}, READ),
)


def log_softmax(row: Sequence[float]) -> list[float]:
    top = max(row)
    total = math.log(math.fsum(math.exp(z - top) for z in row))
    return [z - top - total for z in row]


def costs(logits: Tensor, ids: Tensor, real: Tensor, shift: int = 1) -> list[list[float]]:
    """-log p of every predicted token, a list for each sequence; `shift`: how far ahead the predicted token stands."""
    out = []
    for rows, tokens, some in zip(logits.tolist(), ids.tolist(), real.tolist(), strict=True):
        pairs = ((t, t + shift) for t in range(len(tokens)) if 0 <= t + shift < len(tokens))
        out.append([-log_softmax(rows[t])[tokens[u]] for t, u in pairs if some[t] and some[u]])
    return out


def mean(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)


def flat(lists: Sequence[Sequence[float]]) -> list[float]:
    return [number for numbers in lists for number in numbers]


PERPLEXITIES: dict[str, tuple[Callable[[Tensor, Tensor, Tensor], float], str]] = {
    "labels-not-shifted": (
        lambda z, ids, real: math.exp(mean(flat(costs(z, ids, real, 0)))),
        "Each column was asked for its own token, which it has read. Column t predicts the token of column t + 1.",
    ),
    "labels-shifted-back": (
        lambda z, ids, real: math.exp(mean(flat(costs(z, ids, real, -1)))),
        "Each column was asked for the token before it. Column t predicts the token of column t + 1.",
    ),
    "averaged-per-sequence": (
        lambda z, ids, real: math.exp(mean([mean(c) for c in costs(z, ids, real) if c])),
        "The means of the sequences were averaged, so a token of a short one counts more. Average over tokens.",
    ),
    "mean-of-perplexities": (
        lambda z, ids, real: mean([math.exp(mean(c)) for c in costs(z, ids, real) if c]),
        "The perplexities of the sequences were averaged. Average -log p over all tokens, then take exp once.",
    ),
    "padding-counted": (
        lambda z, ids, real: math.exp(mean(flat(costs(z, ids, torch.ones_like(real))))),
        "Padding was counted. Where `real` is 0, nothing predicts and nothing is predicted.",
    ),
    "padding-predicts": (
        lambda z, ids, real: math.exp(mean(predicted_by_padding(z, ids, real))),
        "The prediction that padding makes for the first token was counted. Both columns must be real.",
    ),
    "divided-by-all-columns": (
        lambda z, ids, real: math.exp(math.fsum(flat(costs(z, ids, real))) / ids.numel()),
        "The sum was divided by the number of columns. Divide by the number of predicted tokens.",
    ),
    "loss-not-perplexity": (
        lambda z, ids, real: mean(flat(costs(z, ids, real))), "That is the mean of -log p. Perplexity is exp of it.",
    ),
    "probability-underflows": (
        lambda z, ids, real: math.inf,
        "A small probability became 0 and its logarithm infinite. Use log_softmax, not the log of a softmax.",
    ),
    "mean-of-inverse-probabilities": (
        lambda z, ids, real: mean([math.exp(cost) for cost in flat(costs(z, ids, real))]),
        "1 / p was averaged. Take the mean of -log p first, then exp.",
    ),
}


def predicted_by_padding(logits: Tensor, ids: Tensor, real: Tensor) -> list[float]:
    every = zip(costs(logits, ids, torch.ones_like(real)), real[:, 1:].tolist(), strict=True)
    return [cost for row, some in every for cost, one in zip(row, some, strict=True) if one]


def perplexity_case(group: str, logits: Tensor, ids: Tensor, real: Tensor | None = None) -> Case:
    used = torch.ones_like(ids) if real is None else real
    wrong = {name: (lambda rule=rule: rule(logits, ids, used), words) for name, (rule, words) in PERPLEXITIES.items()}
    right = math.exp(mean(flat(costs(logits, ids, used))))
    given = (logits, ids) if real is None else (logits, ids, real)
    return Case(PERPLEXITY, group, (Call("perplexity", given),), Result(right, wrong))


Rows = list[tuple[list[float], list[float]]]


def divergence(p: Sequence[float], q: Sequence[float]) -> float:
    """KL of two rows of logits."""
    a, b = log_softmax(p), log_softmax(q)
    return math.fsum(math.exp(x) * (x - y) for x, y in zip(a, b, strict=True))


def same_top(p: Sequence[float], q: Sequence[float]) -> bool:
    return max(range(len(p)), key=p.__getitem__) == max(range(len(q)), key=q.__getitem__)


DRIFTS: dict[str, tuple[Callable[[Rows, Rows, int], tuple[float, float]], str]] = {
    "kl-swapped": (
        lambda rows, every, n: (mean([divergence(q, p) for p, q in rows]), 0.0),
        "The divergence is the wrong way round: sum p (ln p - ln p'), with p from the reference.",
    ),
    "kl-mean-over-vocabulary": (
        lambda rows, every, n: (mean([divergence(p, q) / len(p) for p, q in rows]), 0.0),
        "It was averaged over the vocabulary, too (reduction='mean'). Sum over tokens of the vocabulary.",
    ),
    "kl-per-sequence": (
        lambda rows, every, n: (math.fsum(divergence(p, q) for p, q in rows) / n, 0.0),
        "The sum was divided by the number of sequences (reduction='batchmean'). Divide by the number of tokens.",
    ),
    "kl-of-logits": (
        lambda rows, every, n: (
            mean([math.fsum(math.exp(x) * (a - b) for x, a, b in zip(log_softmax(p), p, q, strict=True))
                  for p, q in rows]), 0.0),
        "Logits were subtracted, not log-probabilities.",
    ),
    "drift-counts-padding": (
        lambda rows, every, n: (mean([divergence(*pair) for pair in every]), mean([same_top(*pair) for pair in every])),
        "Padding was counted. Where `real` is 0, there is nothing to compare.",
    ),
    "disagreement": (
        lambda rows, every, n: (0.0, 1 - mean([same_top(p, q) for p, q in rows])),
        "That is the share of tokens at which they differ.",
    ),
    "agreement-counted": (
        lambda rows, every, n: (0.0, float(sum(same_top(p, q) for p, q in rows))),
        "That is a number of tokens. Divide by how many there are.",
    ),
}


def drift_case(group: str, reference: Tensor, logits: Tensor, real: Tensor | None = None) -> Case:
    used = torch.ones(logits.shape[:2]) if real is None else real
    flattened = (z.flatten(0, 1).tolist() for z in (reference, logits))
    every = list(zip(*flattened, strict=True))
    rows = [pair for pair, one in zip(every, used.flatten().tolist(), strict=True) if one]
    right = mean([divergence(p, q) for p, q in rows]), mean([same_top(p, q) for p, q in rows])
    wrong = {name: (lambda rule=rule: rule(rows, every, len(logits)), words) for name, (rule, words) in DRIFTS.items()}
    given = (reference, logits) if real is None else (reference, logits, real)
    return Case(DRIFT, group, (Call("drift", given),), Result(right, wrong, 0 if group == KL else 1))


def padded(lengths: Sequence[int], columns: int, left: bool) -> Tensor:
    """(B, T): 1 for tokens."""
    rows = [[0] * (columns - n) + [1] * n if left else [1] * n + [0] * (columns - n) for n in lengths]
    return torch.tensor(rows)


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(66_000 + seed)

    def text(batch: int, columns: int, vocabulary: int) -> tuple[Tensor, Tensor]:
        logits = 2 * normal(generator, batch, columns, vocabulary)
        return logits, torch.randint(vocabulary, (batch, columns), generator=generator)

    made = [perplexity_case(SHIFT, *text(1, 2, 3)), perplexity_case(SHIFT, *text(2, 5, 7))]
    logits, ids = text(1, 8, 5)  # all tokens are certain, but one, whose probability is too small for float32
    logits = logits.float()
    ids[0, 1:] = logits[0, :-1].argmax(-1)
    ids[0, 4] = logits[0, 3].argmin()
    logits[0, 3] *= 200 / (logits[0, 3].max() - logits[0, 3].min())
    made.append(perplexity_case(SHIFT, logits, ids))
    made.append(perplexity_case(LENGTHS, *text(3, 6, 4), padded((6, 2, 4), 6, left=False)))
    made.append(perplexity_case(LENGTHS, *text(2, 5, 6), padded((3, 5), 5, left=True)))

    def pair(batch: int, columns: int, vocabulary: int, near: float) -> tuple[Tensor, Tensor]:
        first = 2 * normal(generator, batch, columns, vocabulary)
        return first, first + near * normal(generator, batch, columns, vocabulary)

    for group in (KL, AGREE):
        made.append(drift_case(group, *pair(1, 10, 4, 1.0)))
        first, second = pair(2, 6, 5, 1.5)
        made.append(drift_case(group, first.float(), second.float()))
        both = pair(2, 5, 6, 2.0)
        real = padded((2, 4), 5, left=True)
        both[1][0, 0] = both[0][0, 0].roll(1)  # what padding says is far off
        made.append(drift_case(group, *both, real))
    return made
