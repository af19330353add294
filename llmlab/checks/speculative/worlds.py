"""Small worlds in which every distribution is known: a target, a draft, and their sessions.

A `World` gives the target's and the draft's logits after any context. `Held` is a session over it that
keeps what it was fed, so a token that should have been taken back changes every later answer. `Proposals`
is a trusted draft, `Numbers` are trusted dice. All arguments are looked at, because they come from a
student.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from llmlab.checks.protocol import Remote
from llmlab.checks.speculative.processed import PLAIN, Settings, shaped
from llmlab.checks.speculative.rules import Row

MOST_ROWS, MOST_TOKENS, MOST_HELD = 6_000, 20_000, 80_000
Context = tuple[int, ...]
Next = Callable[[Context], Row]
"""Logits after a context."""


class World:
    """A vocabulary and two models: `target(context)` and `draft(context)` give logits, always the same."""

    def __init__(self, vocab: int, target: Next, draft: Next, memory: int = 99):
        self.vocab, self.memory = vocab, memory
        self.target, self.draft = lru_cache(maxsize=None)(target), lru_cache(maxsize=None)(draft)
        self.known: dict[tuple, Row] = {}

    def law(self, context: Context, settings: Settings = PLAIN, draft: bool = False) -> Row:
        """The distribution after a context, as it is drawn from."""
        key = context[-self.memory :], settings, draft
        if key not in self.known:
            self.known[key] = shaped((self.draft if draft else self.target)(key[0]), settings)
        return self.known[key]


def smooth(seed: int, vocab: int, alike: float = 1.0, memory: int = 99, spread: float = 1.5) -> World:
    """Random logits after the last `memory` tokens; the draft's are the target's plus noise of this size."""

    def logits(context: Context, who: str, size: float) -> Row:
        dice = random.Random(f"{seed} {who} {context[-memory:]}")
        return [dice.gauss(0, size) for _ in range(vocab)]

    def draft(context: Context) -> Row:
        return [a + b for a, b in zip(target(context), logits(context, "draft", alike), strict=True)]

    def target(context: Context) -> Row:
        return logits(context, "target", spread)

    return World(vocab, target, draft, memory)


@lru_cache(maxsize=None)
def pairs(vocab: int, kinds: tuple[int, ...]) -> list[tuple[Row, Row]]:
    """All (p, q) in quarters whose thresholds are quarters, too. q has entries of these kinds, p differs."""
    every = [c for c in itertools.product(range(5), repeat=vocab) if sum(c) == 4]
    found = []
    for p, q in itertools.product(every, every):
        over = [max(a - b, 0) for a, b in zip(p, q, strict=True)]
        fits = set(q) <= set(kinds) and 0 < sum(over) and (sum(over) != 3 or max(over) == 3)
        if fits:
            found.append(([a / 4 for a in p], [b / 4 for b in q]))
    return found


def quarters(seed: int, vocab: int, kinds: tuple[int, ...] = (0, 1, 2)) -> World:
    """Laws in quarters. With numbers in the middle of quarters every sum over them is an exact integral."""
    choices = pairs(vocab, kinds)

    def both(context: Context) -> tuple[Row, Row]:
        return random.Random(f"{seed} quarters {context}").choice(choices)

    def logs(law: Row) -> Row:
        return [math.log(x) if x else -math.inf for x in law]

    return World(vocab, lambda context: logs(both(context)[0]), lambda context: logs(both(context)[1]))


def joint(world: World, start: Context, count: int, settings: Settings = PLAIN) -> dict[Context, float]:
    """The target's law of the next `count` tokens: the oracle of every enumeration."""
    found = {(): 1.0}
    for _ in range(count):
        found = {
            (*new, token): mass * p
            for new, mass in found.items()
            for token, p in enumerate(world.law((*start, *new), settings))
            if p
        }
    return found


def variation(a: dict[Context, float], b: dict[Context, float]) -> float:
    """Total variation of two laws.

    >>> variation({(1,): 0.5, (2,): 0.5}, {(1,): 0.25, (3,): 0.75})
    0.75
    """
    return math.fsum(abs(a.get(key, 0.0) - b.get(key, 0.0)) for key in a.keys() | b.keys()) / 2


def pick(law: Row, u: float) -> int:
    """The first token whose cumulative probability exceeds u; the last possible one after rounding."""
    total = 0.0
    for token, p in enumerate(law):
        total += p
        if u < total:
            return token
    return max((token for token, p in enumerate(law) if p > 0), default=len(law) - 1)


def lists(value: object, what: str, vocab: int = 2**31) -> list[list[int]]:
    """Rows of token ids, given as lists or as a tensor. Raises ValueError saying what came instead."""
    value = value.tolist() if isinstance(value, Tensor) and not value.is_floating_point() else value
    if isinstance(value, tuple | list):
        rows = [row.tolist() if isinstance(row, Tensor) else row for row in value]
        if all(isinstance(row, list | tuple) and all(type(t) is int for t in row) for row in rows):
            if any(not 0 <= t < vocab for row in rows for t in row):
                raise ValueError(f"{what}: token ids lie in 0..{vocab - 1}")
            if len(rows) > MOST_ROWS or sum(map(len, rows)) > MOST_TOKENS:
                raise ValueError(f"{what}: more than {MOST_ROWS} rows or {MOST_TOKENS} tokens")
            return [list(row) for row in rows]
    raise ValueError(f"{what} must be a list of lists of token ids")


class Held:
    """A session over one model of a world: what is fed stays until it is cut off."""

    def __init__(self, world: World, draft: bool, batch: int):
        self.after, self.vocab, self.memory = (
            world.draft if draft else world.target,
            world.vocab,
            world.memory,
        )
        self.texts: list[list[int]] = [[] for _ in range(batch)]
        self.known: dict[Context, int] = {}
        self.table: list[Row] = [
            [float(3 * (token == 0)) for token in range(world.vocab)]
        ]  # 0: a column without a token

    def feed(self, rows: object) -> Tensor:
        rows = lists(rows, "feed: rows", self.vocab)
        if len(rows) != len(self.texts) or not all(rows):
            raise ValueError(
                f"feed wants {len(self.texts)} rows of at least one token, got lengths "
                f"{[len(row) for row in rows][:8]}"
            )
        if sum(map(len, self.texts)) + sum(map(len, rows)) > MOST_HELD:
            raise ValueError(f"feed: this session holds at most {MOST_HELD} tokens")
        size, places = max(map(len, rows)), []
        for text, row in zip(self.texts, rows, strict=True):
            at = [0] * (size - len(row))
            for token in row:
                text.append(token)
                context = tuple(text[-self.memory :])
                if context not in self.known:
                    self.known[context] = len(self.table)
                    self.table.append(self.after(context))
                at.append(self.known[context])
            places.append(at)
        return torch.tensor(self.table, dtype=torch.float32)[torch.tensor(places)]

    def lengths(self) -> list[int]:
        return [len(text) for text in self.texts]

    def truncate(self, lengths: object) -> None:
        wanted = lists([lengths], "truncate: lengths")[0]
        held = self.lengths()
        if len(wanted) != len(held) or any(n > have for n, have in zip(wanted, held, strict=True)):
            raise ValueError(f"truncate: cannot cut sequences of {held[:8]} tokens to {wanted[:8]}")
        for text, n in zip(self.texts, wanted, strict=True):
            del text[n:]


def session(name: str, world: World, batch: int, draft: bool = False) -> Remote:
    """A session of the world's target, or of its draft, as students get it."""
    return Remote(
        name,
        lambda: Held(world, draft, batch),
        ("feed", "lengths", "truncate"),
        {"vocab_size": world.vocab},
        500,
    )


class Proposals:
    """A draft that never errs: tokens drawn from the world's draft behind the rows it is given."""

    def __init__(self, world: World, settings: Settings):
        self.world, self.settings = world, settings

    def propose(self, rows: object, uniforms: object) -> tuple[Tensor, Tensor]:
        rows = lists(rows, "propose: rows", self.world.vocab)
        if (
            not isinstance(uniforms, Tensor)
            or uniforms.dim() != 2
            or len(uniforms) != len(rows)
            or uniforms.numel() > MOST_TOKENS
        ):
            raise ValueError(f"propose: uniforms must be a tensor ({len(rows)}, gamma)")
        told = [self.one(tuple(row), numbers) for row, numbers in zip(rows, uniforms.tolist(), strict=True)]
        shape = (*uniforms.shape, self.world.vocab)
        return (
            torch.tensor([tokens for tokens, _ in told], dtype=torch.int64).reshape(uniforms.shape),
            torch.tensor([laws for _, laws in told], dtype=torch.float32).reshape(shape),
        )

    def one(self, text: Context, numbers: Sequence[float]) -> tuple[list[int], list[Row]]:
        tokens, laws = [], []
        for u in numbers:
            laws.append(self.world.law((*text, *tokens), self.settings, draft=True))
            tokens.append(pick(laws[-1], u))
        return tokens, laws


def proposals(world: World, settings: Settings = PLAIN) -> Remote:
    """The trusted draft as students get it."""
    return Remote("draft", lambda: Proposals(world, settings), ("propose",), {}, 200)


class Numbers:
    """Dice that give what is on the table (rows, all columns), from left to right."""

    def __init__(self, table: Tensor):
        self.table, self.at = table, 0

    def uniform(self, rows: object, columns: object) -> Tensor:
        if rows != len(self.table) or type(columns) is not int or not 0 <= columns <= 64:
            raise ValueError(
                f"uniform: this batch has {len(self.table)} rows; asked for {str(rows)[:20]} rows and "
                f"{str(columns)[:20]} columns"
            )
        if self.at + columns > self.table.shape[1]:
            raise ValueError("uniform: no right run needs so many numbers; is every pass adding a token?")
        self.at += columns
        return self.table[:, self.at - columns : self.at].clone()


def dice(table: Tensor) -> Remote:
    """The trusted dice as students get them."""
    return Remote("dice", lambda: Numbers(table), ("uniform",), {}, 200)


def grid(*sizes: int) -> Tensor:
    """All combinations of the middles of `size` equal parts of [0, 1), one column for each size.

    >>> grid(1, 2)
    tensor([[0.5000, 0.2500],
            [0.5000, 0.7500]], dtype=torch.float64)
    """
    return torch.cartesian_prod(*[(torch.arange(n, dtype=torch.float64) + 0.5) / n for n in sizes]).reshape(
        -1, len(sizes)
    )
