"""Checks of penalize: each penalty alone, the order of the soft ones, all together. Oracles: `rules`."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from llmlab.checks.judging import Expect, Refuse, judge
from llmlab.checks.penalties import rules
from llmlab.checks.penalties.ngram import draw as draw_text
from llmlab.checks.penalties.soft import draw, ids
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

TASK = "penalties.penalize"
ALONE, ORDER, ALL = "each penalty alone", "repetition before the subtractions", "all together"
INVALID = "invalid strengths"
TASKS = (Task(TASK, "lab1", "apply repetition, frequency, presence and the n-gram ban, in this order",
              {ALONE: 1, ORDER: 1, ALL: 1, INVALID: 1}, "part1/penalties.html#sec-tuning"),)
OFF = {"repetition": 1.0, "presence": 0.0, "frequency": 0.0, "no_repeat_ngram": 0}
RULES = {"repetition": rules.repetition, "frequency": rules.frequency, "presence": rules.presence,
         "no_repeat_ngram": lambda z, p, g, n: rules.ban(z, p, g, n) if n else z}
RIGHT = ("repetition", "frequency", "presence", "no_repeat_ngram")


def chain(order: tuple[str, ...], strengths: dict, **other: Callable) -> Callable:
    """The row rule that applies these penalties one after the other; `other` replaces some of them."""
    def rule(row, prompt, generated):
        for name in order:
            row = (other.get(name) or RULES[name])(row, prompt, generated, strengths[name])
        return row
    return rule


def penalize_case(group: str, logits: torch.Tensor, prompt: torch.Tensor, generated: torch.Tensor, **given) -> Case:
    """One call with the strengths in `given`; the others keep their defaults."""
    strengths = OFF | given

    def outcome(order=RIGHT, **other):
        return rules.by_rows(logits, prompt, generated, chain(order, strengths, **other))

    def prompt_too(rule):
        return lambda z, p, g, a: rule(z, p, [*p, *g], a)

    wrong = {
        "repetition-after-subtracting": (
            lambda: outcome(("frequency", "presence", "repetition", "no_repeat_ngram")),
            "The repetition penalty was applied after the subtractions. It scales what it finds, so it goes first."),
        "repetition-between": (
            lambda: outcome(("frequency", "repetition", "presence", "no_repeat_ngram")),
            "The repetition penalty was applied between frequency and presence. It goes first."),
        "repetition-before-presence-only": (
            lambda: outcome(("presence", "repetition", "frequency", "no_repeat_ngram")),
            "The repetition penalty was applied after presence. It goes first."),
        "swaps-presence-and-frequency": (
            lambda: outcome(presence=rules.frequency, frequency=rules.presence),
            "The strengths of presence and frequency were swapped."),
        "all-count-prompt": (
            lambda: outcome(presence=prompt_too(rules.presence), frequency=prompt_too(rules.frequency)),
            "Presence and frequency were applied to prompt tokens too. They look at generated tokens only."),
        **{f"leaves-out-{name.replace('_', '-')}": (
            lambda name=name: outcome(tuple(part for part in RIGHT if part != name)),
            f"{name} was not applied.") for name in RIGHT},
        "penalty-has-no-effect": (logits, "The logits came back unchanged."),
    }
    return Case(TASK, group, (Call("penalize", (logits, prompt, generated), given),),
                Expect(outcome(), wrong, 1e-5 if logits.dtype == torch.float64 else None))


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(8_000 + seed)
    logits, prompt, generated = draw(generator, (2, 10), 4, 6)
    logits = logits.float()
    made = [penalize_case(ALONE, logits, prompt, generated)]
    for name, strength in (("repetition", 1.3), ("presence", 0.5), ("frequency", 0.4), ("no_repeat_ngram", 1)):
        made.append(penalize_case(ALONE, logits, prompt, generated, **{name: strength}))
    four = torch.tensor([[4.0, 4.0, 4.0, -1.0]])
    made.append(penalize_case(ORDER, four, ids([0]), ids([1, 1, 3]), repetition=2.0, presence=0.5, frequency=0.25))
    made.append(penalize_case(ORDER, four, ids([0]), ids([1, 1, 3]), repetition=2.0, frequency=1.0))
    made.append(penalize_case(ORDER, four, ids([0]), ids([1, 1, 3]), repetition=2.0, presence=1.0))
    made.append(penalize_case(ORDER, logits.double(), prompt, generated, repetition=1.5, presence=0.8, frequency=0.3))
    for n in (2, 3):
        text = draw_text(generator, 3, 6, 7, 8, n, across=True)
        made.append(penalize_case(ALL, *text, repetition=1.2, presence=0.6, frequency=0.35, no_repeat_ngram=n))
    masked = logits.clone()
    masked[:, 9] = -math.inf
    masked[0, int(generated[0, 0])] = -math.inf
    made.append(penalize_case(ALL, masked, prompt, generated, repetition=1.4, presence=0.3, no_repeat_ngram=2))
    made.append(penalize_case(ALL, masked, ids([], []), ids([], []), repetition=1.4, frequency=0.3, no_repeat_ngram=2))
    for name, strength in (("repetition", 0.0), ("presence", math.nan), ("frequency", math.nan), ("no_repeat_ngram", -1)):
        made.append(Case(TASK, INVALID, (Call("penalize", (four, ids([0]), ids([1])), {name: strength}),),
                         Refuse(f"{strength:g}")))
    return made
