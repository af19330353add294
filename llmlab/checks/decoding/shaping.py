"""Checks of log_probs, greedy and apply_temperature.

The oracles are closed forms on plain Python numbers in float64, one row at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from llmlab.checks.decoding.rows import INF, Mistake, Value, each_row, judge, other_axes, row_lists, softmax
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

ROWS, STABLE, BATCHES = "one row", "large, tiny and -inf logits", "batches and dtypes"
TIES = "ties go to the lowest id"
DIVIDE, LIMITS, REMOVED, INVALID = "dividing", "T = 0 and T = inf", "-inf and dtypes", "invalid temperature"

TASKS = (
    Task("decoding.log_probs", "lab1", "turn logits into log-probabilities, without overflow", {
        ROWS: 1, STABLE: 1, BATCHES: 1}, "part1/logits.html#sec-log-probs"),
    Task("decoding.greedy", "lab1", "take the most likely token of every row", {
        "rows and batches": 1, TIES: 1}, "part1/sampling.html#sec-greedy"),
    Task("decoding.apply_temperature", "lab1",
         "divide the logits by a temperature, with its limits 0 and inf", {
        DIVIDE: 1, LIMITS: 1, REMOVED: 1, INVALID: 1}, "part1/sampling.html#sec-temperature"),
)


def normal(generator: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Random logits with a standard deviation of 2."""
    return (torch.randn(shape, generator=generator) * 2).to(dtype)


def log_softmax(row: list[float]) -> list[float]:
    """The oracle: z - log(sum(exp(z))), with the largest logit taken out first."""
    top = max(row)
    total = math.fsum(math.exp(x - top) for x in row)
    return [x - top - math.log(total) for x in row]


def log_probs_case(group: str, logits: torch.Tensor) -> Case:
    """One call of log_probs with the values that known mistakes lead to, in the input's own dtype."""
    z, sums = logits, logits.exp().sum(-1, keepdim=True)
    shifted = z - z.max()

    def oracle(x: torch.Tensor) -> torch.Tensor:
        return each_row(x, log_softmax)

    overflow = "exp of a large logit is inf. Take the largest of the row out first, or use log_softmax."
    one = "One sum served all rows: every row needs its own."
    mistakes: list[Mistake] = [
        ("log-of-underflow", lambda: z.softmax(-1).log(),
         "log(softmax(z)) was taken: a tiny probability is rounded to 0 and its logarithm is -inf. Subtract "
         "the "
         "logarithm of the sum instead."),
        ("exp-overflows", lambda: z - sums.log(), overflow),
        ("exp-overflows", lambda: (z.exp() / sums).log(), overflow),
        ("maximum-of-the-batch", lambda: shifted - shifted.exp().sum(-1, keepdim=True).log(),
         "The largest logit of the whole batch was taken out: rows far below it underflow. Take each row's "
         "own."),
        ("one-sum-for-the-batch", lambda: z - z.double().logsumexp(tuple(range(z.dim()))).to(z.dtype), one),
        ("returns-probabilities", lambda: each_row(z, softmax),
         "Probabilities came back, without the logarithm."),
        ("forgets-the-sum", lambda: z - z.amax(-1, keepdim=True),
         "The largest logit was subtracted, but not the logarithm of the sum: the probabilities do not add "
         "up to 1."),
        ("wrong-base", lambda: oracle(z) / math.log(2),
         "That is the logarithm to base 2; use the natural one."),
        ("wrong-base", lambda: oracle(z) / math.log(10),
         "That is the logarithm to base 10; use the natural one."),
        *other_axes(z, oracle,
                    "The sum ran over the wrong dimension: normalise over the last one, the vocabulary."),
    ]
    return Case("decoding.log_probs", group, (Call("log_probs", (logits,)),), Value(oracle(logits), mistakes))


def log_probs_cases(generator: torch.Generator) -> list[Case]:
    """Cases of log_probs."""
    steps = torch.tensor([0.0, 500.0, -500.0])[:, None]
    inputs = {
        ROWS: [torch.tensor([0.5, 0.25, 0.25]).log() + 3, normal(generator, 12)],
        STABLE: [torch.tensor([1000.0, 1000.0, 0.0]), torch.tensor([[0.0, -150.0, 1.0]]),
                 torch.tensor([[1.0, -INF, 0.5, -INF]]), normal(generator, 3, 5) + steps],
        BATCHES: [normal(generator, 4, 6), normal(generator, 2, 3, 5, dtype=torch.float64),
                  normal(generator, 3, 8, dtype=torch.float16),
                  normal(generator, 3, 8, dtype=torch.bfloat16)],
    }
    return [log_probs_case(group, logits) for group, several in inputs.items() for logits in several]


def first_largest(row: list[float]) -> int:
    """The oracle: the lowest index of the largest number."""
    return row.index(max(row))


def picks(logits: torch.Tensor, rule: Callable[[list[float]], int]) -> torch.Tensor:
    """`rule(row)` for every row of (..., V), as (...) int64."""
    return torch.tensor([rule(row) for row in row_lists(logits)]).reshape(logits.shape[:-1])


def greedy_case(group: str, logits: torch.Tensor) -> Case:
    """One call of greedy with the values that known mistakes lead to."""
    def right() -> torch.Tensor:
        return picks(logits, first_largest)

    mistakes: list[Mistake] = [
        ("last-of-ties", lambda: picks(logits, lambda row: len(row) - 1 - first_largest(row[::-1])),
         "Among equal logits the last one was taken: take the lowest id."),
        ("least-likely", lambda: picks(logits, lambda row: row.index(min(row))),
         "The least likely token was taken."),
        ("largest-magnitude", lambda: picks(logits, lambda row: first_largest([abs(x) for x in row])),
         "The logit furthest from 0 was taken; a very negative logit is a very unlikely token."),
        ("keeps-dimension", lambda: right().unsqueeze(-1),
         "The last dimension is still there, with length 1: drop it."),
        ("returns-the-logit", lambda: logits.amax(-1), "The largest logit came back instead of its index."),
        ("one-token-for-the-batch", logits.argmax,
         "One token came back for the whole batch: every row has its own."),
        *(("wrong-axis", lambda dim=dim: logits.argmax(dim),
           "The largest was taken over the wrong dimension: the vocabulary is the last one.")
          for dim in range(logits.dim() - 1)),
    ]
    return Case("decoding.greedy", group, (Call("greedy", (logits,)),), Value(right(), mistakes))


def greedy_cases(generator: torch.Generator) -> list[Case]:
    """Cases of greedy."""
    tied = torch.randint(0, 3, (6, 50), generator=generator).float()
    inputs = {
        "rows and batches": [normal(generator, 7), normal(generator, 4, 6), normal(generator, 5, 5),
                             normal(generator, 3, 6) - 20, normal(generator, 2, 3, 4, dtype=torch.bfloat16)],
        TIES: [torch.tensor([1.0, 3.0, 3.0, 0.0]),
               torch.tensor([[-INF, 2.0, -INF, 2.0], [0.0, 0.0, 0.0, 0.0]]), tied],
    }
    return [greedy_case(group, logits) for group, several in inputs.items() for logits in several]


def tempered(row: list[float], temperature: float) -> list[float]:
    """The oracle: divide, with the two limits."""
    if temperature == 0:
        return [0.0 if i == first_largest(row) else -INF for i in range(len(row))]
    return [x if x == -INF else 0.0 if temperature == INF else x / temperature for x in row]


def temperature_case(group: str, logits: torch.Tensor, temperature: float) -> Case:
    """One call of apply_temperature with the values that known mistakes lead to."""
    z, t = logits, temperature

    def right() -> torch.Tensor:
        return each_row(z, lambda row: tempered(row, t))

    mistakes: list[Mistake] = [
        ("temperature-multiplies", lambda: z * t, "The logits were multiplied by T; divide them."),
        ("ignores-temperature", lambda: z, "The logits came back as they were: T had no effect."),
        ("returns-probabilities", lambda: right().double().softmax(-1).to(z.dtype),
         "Probabilities came back. Return logits; softmax comes later."),
        ("temperature-on-probabilities", lambda: each_row(z, softmax) / t,
         "Probabilities were divided by T. Temperature divides the logits, before softmax."),
        ("temperature-on-probabilities", lambda: each_row(z, softmax) ** (1 / t) if t else z,
         "Probabilities were raised to the power 1/T and returned. Return logits."),
    ]
    if t == 0:
        mistakes = [
            ("temperature-zero-divides", lambda: z / 0,
             "The logits were divided by 0. T = 0 needs a rule of its own: only the most likely token "
             "stays."),
            ("keeps-all-ties", lambda: torch.zeros_like(z).masked_fill(z < z.amax(-1, keepdim=True), -INF),
             "Several equal logits stayed. T = 0 is greedy: only the first of them does."),
            ("zero-keeps-the-logit", lambda: z.masked_fill(right() == -INF, -INF),
             "The token that stays must get the logit 0, at T = 0."),
            ("one-hot-probabilities", lambda: right().exp(),
             "1 and 0 are probabilities; as logits they are 0 and -inf."),
            *(("temperature-zero-epsilon", lambda e=e: z / 10.0**-e,
               "0 was replaced by a small number, so several tokens stay. T = 0 needs a rule of its own.")
              for e in range(1, 13)),
            *mistakes]
    if t == INF:
        mistakes = [
            ("infinity-revives-removed", lambda: torch.zeros_like(z),
             "A token with the logit -inf got 0: a removed token must stay removed at every T."),
            ("makes-nan", lambda: z / INF, "-inf / inf is NaN. T = inf needs a rule for removed tokens."),
            *mistakes]
    return Case("decoding.apply_temperature", group, (Call("apply_temperature", (z, t)),),
                Value(right(), mistakes))


def temperature_cases(generator: torch.Generator) -> list[Case]:
    """Cases of apply_temperature."""
    tied = torch.tensor([1.0, 3.0, 3.0, 2.0])
    holes = torch.tensor([[1.0, -INF, 0.5, -INF], [-INF, -3.0, 2.0, 0.0]])
    made = [temperature_case(DIVIDE, torch.tensor([1.0, 3.0, 2.0]), 0.5)]
    made += [temperature_case(DIVIDE, normal(generator, *shape), t) for shape,
             t in (((6,), 2.0), ((3, 5), 0.7), ((4,), 1))]
    for logits in (normal(generator, 6), tied, normal(generator, 2, 3, 4)):
        made += [temperature_case(LIMITS, logits, t) for t in (0.0, INF)]
    made += [temperature_case(REMOVED, holes, t) for t in (0.5, 0.0, INF)]
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        made += [temperature_case(REMOVED, normal(generator, 2, 6, dtype=dtype), t) for t in (1.3, 0.0, INF)]
    for t in (-0.5, -INF, math.nan):
        call = Call("apply_temperature", (normal(generator, 4), t))
        made.append(Case("decoding.apply_temperature", INVALID, (call,), Refuse(f"{t:g}")))
    return made


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(2_000 + seed)
    return [*log_probs_cases(generator), *greedy_cases(generator), *temperature_cases(generator)]
