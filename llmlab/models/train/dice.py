"""A seeded source of choices that gives the same text on every Python from 3.11 on.

Only ``random.Random.random()`` is used: it is the one method whose sequence Python promises to keep for a
given seed. ``choice``, ``shuffle`` and ``sample`` carry no such promise, so they are rebuilt here in a line
each.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Seeded choices.

    >>> dice = Dice(7)
    >>> 1 <= dice.number(1, 6) <= 6
    True
    >>> Dice(7).shuffled("abc") == Dice(7).shuffled("abc")
    True
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def number(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self._random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self._random() < probability

    def pick(self, items: Sequence[T]) -> T:
        """One item, all equally likely."""
        return items[int(self._random() * len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All items in a random order (Fisher-Yates)."""
        out = list(items)
        for i in range(len(out) - 1, 0, -1):
            j = int(self._random() * (i + 1))
            out[i], out[j] = out[j], out[i]
        return out

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """``count`` different items, in random order."""
        return self.shuffled(items)[:count]
