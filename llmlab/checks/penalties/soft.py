"""Checks of repetition_penalty, presence_penalty and frequency_penalty.

Rows are drawn so that the rules differ: among the tokens that occur some have positive and some negative logits, one is
in the prompt only, one in the generated text only, one is repeated. Oracles and wrong rules are in `rules`.
"""

from __future__ import annotations

import math
from collections import Counter

import torch

from llmlab.checks.judging import Expect, Refuse, judge
from llmlab.checks.penalties import rules
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

READ = "part1/penalties.html#sec-"
SIGNS, ONCE = "positive and negative logits", "prompt and generated, each token once"
ROWS, INVALID = "batches, dtypes and -inf", "invalid penalty"
GENERATED, COUNT, OFF = "generated tokens only", "once or per occurrence", "0, negative and invalid penalties"
TASKS = (
    Task("penalties.repetition_penalty", "lab1", "divide positive and multiply negative logits of tokens that occurred",
         {SIGNS: 2, ONCE: 2, ROWS: 1, INVALID: 1}, READ + "repetition-penalty"),
    Task("penalties.presence_penalty", "lab1", "subtract a constant once from every generated token",
         {GENERATED: 1, COUNT: 1, ROWS: 1, OFF: 1}, READ + "presence-frequency"),
    Task("penalties.frequency_penalty", "lab1", "subtract a constant from a token for each time it was generated",
         {GENERATED: 1, COUNT: 1, ROWS: 1, OFF: 1}, READ + "presence-frequency"),
)
ORACLES = {
    "repetition_penalty": (rules.repetition, rules.WRONG_REPETITION),
    "presence_penalty": (rules.presence, rules.WRONG_PRESENCE),
    "frequency_penalty": (rules.frequency, rules.WRONG_FREQUENCY),
}


def telling(row: list[float], prompt: list[int], generated: list[int]) -> bool:
    """True if the row tells the rules apart."""
    both = Counter(prompt + generated)
    new = Counter(generated)
    signs = [row[token] for token in both]
    repeated = [token for token in new if new[token] > 1]
    return (max(signs) > 0.3 and min(signs) < -0.3 and bool(set(prompt) - set(generated)) and len(repeated) > 0
            and bool(set(generated) - set(prompt)) and len(both) < len(row) and all(abs(z) > 0.05 for z in row))


def draw(generator: torch.Generator, shape: tuple[int, int], prompt: int, new: int) -> tuple[torch.Tensor, ...]:
    """Random logits (B, V), prompt (B, P) and generated (B, G) of which every row tells the rules apart."""
    pool = min(shape[1] - 1, max(9, prompt + new))  # few enough that some repeat; the last token never occurs
    rows = []
    while len(rows) < shape[0]:
        logits = torch.randn(shape[1], generator=generator, dtype=torch.float64) * 2
        logits += 0.06 * logits.sign()  # no logit so near 0 that its sign hardly matters
        tokens = torch.randint(pool, (prompt + new,), generator=generator)
        if telling(logits.tolist(), tokens[:prompt].tolist(), tokens[prompt:].tolist()):
            rows.append((logits, tokens[:prompt], tokens[prompt:]))
    return tuple(torch.stack(part) for part in zip(*rows, strict=True))


def soft_case(function: str, group: str, logits: torch.Tensor, prompt: torch.Tensor, generated: torch.Tensor,
              penalty: float, why: str = "") -> Case:
    """One call of a soft penalty, with all its wrong rules and the one that mixes the rows up."""
    rule, known = ORACLES[function]

    def outcome(rule, rows=rules.by_rows):
        return rows(logits, prompt, generated, lambda z, p, g: rule(z, p, g, penalty))

    wrong = {name: (lambda rule=bad: outcome(rule), words) for name, (bad, words) in known.items()}
    wrong["penalty-mixes-rows"] = (lambda: outcome(rule, rules.mixed_rows), "The rows of the batch were mixed up: each row "
                                   "has its own text.")
    wrong["penalty-has-no-effect"] = (logits, "The logits came back unchanged.")
    # A double that went through float32 on the way (a count, a constant) is still right.
    tol = 1e-5 if logits.dtype == torch.float64 else None
    return Case(f"penalties.{function}", group, (Call(function, (logits, prompt, generated, penalty)),),
                Expect(outcome(rule), wrong, tol, why))


def ids(*rows: list[int]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.int64)


def batches(function: str, generator: torch.Generator, penalty: float) -> list[Case]:
    """Several rows, other dtypes, -inf, an empty prompt, nothing generated."""
    made = []
    for shape, dtype in (((4, 12), torch.float32), ((3, 10), torch.float64), ((2, 11), torch.bfloat16),
                         ((2, 10), torch.float16)):
        logits, prompt, generated = draw(generator, shape, 4, 5)
        made.append(soft_case(function, ROWS, logits.to(dtype), prompt, generated, penalty))
    logits, prompt, generated = (part for part in draw(generator, (2, 9), 3, 5))
    logits = logits.float()
    logits[0, int(generated[0, 0])] = -math.inf
    logits[1, 8] = -math.inf
    made.append(soft_case(function, ROWS, logits, prompt, generated, penalty, "-inf must stay -inf"))
    nothing = ids([], [])
    made.append(soft_case(function, ROWS, logits, nothing, generated, penalty, "with an empty prompt"))
    made.append(soft_case(function, ROWS, logits, prompt, nothing, penalty, "with nothing generated yet"))
    return made


def refused(function: str, group: str, values: tuple[float, ...]) -> list[Case]:
    tensors = torch.tensor([[1.0, -1.0, 0.5]]), ids([0]), ids([1])
    return [Case(f"penalties.{function}", group, (Call(function, (*tensors, value)),), Refuse(f"{value:g}"))
            for value in values]


def repetition_cases(generator: torch.Generator) -> list[Case]:
    name = "repetition_penalty"
    made = []
    for row, prompt, new, theta in (([2.0, -2.0, 0.5, -0.5], [], [0, 1], 2.0), ([3.0, -1.0, 2.0, -2.0], [0], [1], 1.3),
                                    ([0.0, 4.0, -3.0, 1.0], [2], [0, 1], 0.5)):
        made.append(soft_case(name, SIGNS, torch.tensor([row]), ids(prompt), ids(new), theta))
    logits, prompt, generated = draw(generator, (1, 12), 4, 6)
    for shift in (0.0, 6.0, -6.0):  # the rule is not shift-invariant, on purpose
        made.append(soft_case(name, SIGNS, (logits + shift).float(), prompt, generated, 1.25))
    made.append(soft_case(name, ONCE, torch.tensor([[2.0, 4.0, -1.0, 1.0]]), ids([0, 2]), ids([1, 1, 1, 0]), 1.5))
    made.append(soft_case(name, ONCE, torch.tensor([[2.0, 4.0, -1.0, 1.0]]), ids([0, 0, 2]), ids([1]), 1.5))
    for _ in range(2):
        logits, prompt, generated = draw(generator, (1, 14), 5, 6)
        made.append(soft_case(name, ONCE, logits.float(), prompt, generated, 1.4))
    made.append(soft_case(name, ONCE, logits.float(), prompt, generated, 1.0, "penalty 1 changes nothing"))
    return made + batches(name, generator, 1.5) + refused(name, INVALID, (0.0, -1.5, math.nan))


def subtracting_cases(name: str, generator: torch.Generator) -> list[Case]:
    """Presence and frequency: the same inputs, another count."""
    zeros = torch.zeros(1, 5)
    made = [soft_case(name, GENERATED, zeros, ids([0, 1, 1]), ids([2]), 0.5),
            soft_case(name, GENERATED, torch.tensor([[1.0, -1.0, 2.0, 0.5]]), ids([3]), ids([0, 1]), 0.75)]
    for _ in range(2):
        logits, prompt, generated = draw(generator, (1, 12), 5, 5)
        made.append(soft_case(name, GENERATED, logits.float(), prompt, generated, 0.6))
    made.append(soft_case(name, COUNT, zeros, ids([]), ids([2, 2, 2, 4]), 0.25))
    for _ in range(2):
        logits, prompt, generated = draw(generator, (1, 12), 3, 8)
        made.append(soft_case(name, COUNT, logits.float(), prompt, generated, 0.4))
    logits, prompt, generated = draw(generator, (2, 10), 4, 5)
    made.append(soft_case(name, OFF, logits.float(), prompt, generated, 0.0, "penalty 0 changes nothing"))
    made.append(soft_case(name, OFF, logits.float(), prompt, generated, -0.5, "a negative penalty favours repetition"))
    return made + batches(name, generator, 0.75) + refused(name, OFF, (math.nan, math.inf))


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(5_000 + seed)
    return (repetition_cases(generator) + subtracting_cases("presence_penalty", generator)
            + subtracting_cases("frequency_penalty", generator))
