"""What is measured: random rows, trees and pairs, questions and stories, all from fixed seeds.

Inputs only. Nothing here decodes, so that tests can take the same inputs and compute the results in another way.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import torch

from llmlab.models.train import corpus, numbers, recall
from llmlab.models.train.dice import Dice

ASKED = 40
"""Questions of each of the three kinds."""

SUMS = 60
"""Sums asked with and without penalties."""

PROMPTS, START, TOKENS = 24, 8, 200
"""Stories continued; tokens of each that are given; tokens that are written."""


def rows(n: int, vocab: int = 50, seed: int = 6) -> torch.Tensor:
    """Random logits (n, vocab), float64, spread like those of a language model."""
    return torch.randn(n, vocab, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2.5


def trees(count: int = 60, vocab: int = 5, depth: int = 5) -> Iterator[dict[tuple[int, ...], list[float]]]:
    """Random conditional distributions: for each tree, a dict prefix -> log-probabilities (vocab,)."""
    generator = torch.Generator().manual_seed(11)
    for _ in range(count):
        yield {prefix: (1.5 * torch.randn(vocab, generator=generator, dtype=torch.float64)).log_softmax(-1).tolist()
               for n in range(depth) for prefix in itertools.product(range(vocab), repeat=n)}


def pairs(count: int = 2000) -> list[list[tuple[float, int]]]:
    """Pairs of hypotheses, each (sum of log-probabilities, length): 5 to 39 tokens at 0.5 to 1.5 nats a token."""
    generator, found = torch.Generator().manual_seed(13), []
    for _ in range(count):
        lengths = torch.randint(5, 40, (2,), generator=generator).tolist()
        found.append([(-n * (0.5 + float(torch.rand(1, generator=generator))), n) for n in lengths])
    return found


def questions() -> list[tuple[str, str]]:
    """Prompts with what the answer must match: sums and differences that the training text never shows, and facts.

    The facts stand in the prompt, in pairs that are new, followed by one question about them.
    """
    dice, asked = Dice(7), []
    for sign in "+-":
        count = len(asked) + ASKED
        while len(asked) < count:
            a, b = dice.number(10, 99), dice.number(10, 99)
            a, b = (a, b) if sign == "+" else (max(a, b), min(a, b))
            if numbers.held_out(a, b):
                answer = a + b if sign == "+" else a - b
                asked.append((f"{a} {sign} {b}\n", rf"(?s).*?\n{a} \{sign} {b} = {answer}(?!\d)"))
    for _ in range(ASKED):
        said, asks, values = recall.facts(dice, 4)
        i = dice.number(0, 3)
        asked.append((f"Facts: {' '.join(said)}\nQuestion: {asks[i]} Answer:", rf" {re.escape(values[i])}\."))
    return asked


def wrong(asked: list[tuple[str, str]], answers: list[str]) -> int:
    """Answers that do not match, each read up to its first blank line."""
    pairs = zip(asked, answers, strict=True)
    return sum(re.match(pattern, said.split("\n\n")[0]) is None for (_, pattern), said in pairs)


def worked_sums(lm, count: int = 60) -> list[tuple[list[int], list[int]]]:
    """Prompts "a + b" and the ids of their worked answers, whose last line begins by repeating the prompt.

    The sums are those that the training text never shows.
    """
    dice, found = Dice(14), []
    while len(found) < count:
        a, b = dice.number(10, 99), dice.number(10, 99)
        if numbers.held_out(a, b):
            first, _, rest = numbers.addition(a, b).partition("\n")
            found.append(([lm.bos_id, *lm.encode(f"{first}\n")], lm.encode(rest)))
    return found


def stories(lm, count: int = PROMPTS) -> list[list[int]]:
    """Ids of `count` validation stories with distinct beginnings."""
    found: dict[tuple, list[int]] = {}
    for text in corpus.build(with_docstrings=False).validation["stories"]:
        ids = lm.encode(text)
        if len(ids) >= START:
            found.setdefault(tuple(ids[:START]), ids)
    if len(found) < count:
        raise ValueError(f"only {len(found)} validation stories begin differently; {count} are needed")
    return list(found.values())[:count]


def sums(count: int = SUMS) -> list[tuple[int, int]]:
    """Pairs of two-digit numbers whose sum the training text never shows."""
    dice, asked = Dice(31), []
    while len(asked) < count:
        a, b = dice.number(10, 99), dice.number(10, 99)
        if numbers.held_out(a, b):
            asked.append((a, b))
    return asked


def is_right(said: str, a: int, b: int) -> bool:
    """Whether the answer to "a + b" ends in the right line.

    >>> is_right("7 + 8 = 15, write 5, carry 1\\n4 + 3 + 1 = 8, write 8\\n47 + 38 = 85\\n\\n12", 47, 38)
    True
    """
    return re.search(rf"\n{a} \+ {b} = {a + b}(?!\d)", said.split("\n\n")[0]) is not None
