"""Which cell of the released notebook is a submitted cell? It changes no cell.

A cell is known by its name (grade id, or notebook id). What has lost its name, as after an export or with
an older notebook format, is known by its text, then by the names that it assigns, then by its place beside
cells that are known. Only cells without a known name are guessed, and a guess never takes the place of an
answer that was found by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

ASSIGNS = re.compile(r"^(?:(?:async\s+)?def\s+|class\s+)(\w+)|^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE)
ALIKE = 0.5
"""The share of lines that two versions of one cell have in common at least."""


@dataclass(frozen=True)
class Cell:
    """What is taken from a submitted cell: text, kind, the names it may be known by, pasted images."""

    kind: str
    source: str
    names: tuple[str, ...] = ()
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """numbers[i]: the place in the master of the i-th submitted cell, or None; how many were guessed."""

    numbers: tuple[int | None, ...]
    guessed: int

    @property
    def known(self) -> int:
        """How many of the master's cells were found."""
        return len({number for number in self.numbers if number is not None})


def names(cell: dict[str, Any]) -> list[str]:
    """The names a cell of the master may be known by."""
    told = cell["metadata"].get("nbgrader", {}).get("grade_id")
    return ([f"grade:{told}"] if told else []) + ([f"id:{cell['id']}"] if "id" in cell else [])


def text(cell: dict[str, Any]) -> str:
    source = cell["source"]
    return "".join(source) if isinstance(source, list) else source


def is_answer(cell: dict[str, Any]) -> bool:
    """True for a cell in which the student is asked to write."""
    return bool(cell["metadata"].get("nbgrader", {}).get("solution"))


def match(master: dict[str, Any], cells: list[Cell]) -> Match:
    """Match submitted cells with the master's."""
    search = _Search(master["cells"], cells)
    by_name = len([number for number in search.found if number is not None])
    search.by_text()
    search.by_assigned()
    search.by_neighbour()
    search.by_gap()
    return Match(tuple(search.found), len([n for n in search.found if n is not None]) - by_name)


class _Search:
    """What is found so far, what is free in the master, and which submitted cells wait for a place."""

    def __init__(self, originals: list[dict[str, Any]], cells: list[Cell]):
        self.originals, self.cells = originals, cells
        self.texts = [_bare(text(original)) for original in originals]
        self.given = [_bare(cell.source) for cell in cells]
        known: dict[str, int] = {}
        for number, original in enumerate(originals):
            for name in names(original):
                known.setdefault(name, number)
        self.found = [next((known[name] for name in cell.names if name in known), None) for cell in cells]
        self.free = set(range(len(originals))) - set(self.found)
        self.open = {i for i, number in enumerate(self.found) if number is None and self.given[i]}

    def put(self, i: int, number: int) -> None:
        self.found[i] = number
        self.free.discard(number)
        self.open.discard(i)

    def by_text(self) -> None:
        """The same text, where the master has it only once."""
        once: dict[str, int | None] = {}
        for number, bare in enumerate(self.texts):
            once[bare] = None if bare in once else number
        free = set(self.free)
        for i in sorted(self.open):
            number = once.get(self.given[i])
            if number in free:
                self.put(i, number)

    def by_assigned(self) -> None:
        """Code that assigns all names of a cell to write in, unless that cell was found and written in."""
        answered = {
            number
            for i, number in enumerate(self.found)
            if number is not None and self.given[i] not in ("", self.texts[number])
        }
        for number in range(len(self.originals)):
            wanted = self.assigned(number)
            for i in sorted(self.open) if wanted and number not in answered else []:
                if self.cells[i].kind != "markdown" and wanted <= assigned(self.cells[i].source):
                    self.put(i, number)

    def by_neighbour(self) -> None:
        """A written answer stands right after the cell that asks for it."""
        places = {number: i for i, number in enumerate(self.found) if number is not None}
        for number in sorted(self.free):
            if number - 1 in places and self.writes(number):
                start = places[number - 1] + 1
                run = list(takewhile(lambda i: i in self.open, range(start, len(self.cells))))
                if (i := self.answer(run, number)) is not None:
                    self.put(i, number)
                    places[number] = i

    def by_gap(self) -> None:
        """Between two known cells: cells that are alike, then one of the right kind for an answer.
        Where nothing at all is known, a place says nothing.
        """
        anchored = any(number is not None for number in self.found)
        lines = {i: _lines(self.given[i]) for i in self.open}
        start, low = 0, -1
        for stop in [*(i for i, number in enumerate(self.found) if number is not None), len(self.cells)]:
            high = len(self.originals) if stop == len(self.cells) else self.found[stop]
            gap = [i for i in range(start, stop) if i in self.open]
            room = [number for number in sorted(self.free) if low < number < high] if gap else []
            for number in room:
                mine = _lines(self.texts[number])
                alike = [(_share(mine, lines[i]), -i) for i in gap if i in self.open]
                if alike and max(alike)[0] >= ALIKE:
                    self.put(-max(alike)[1], number)
            for number in room if anchored else []:
                if number in self.free and self.writes(number):
                    i = self.answer([i for i in gap if i in self.open], number)
                    if i is not None:
                        self.put(i, number)
            start, low = stop + 1, high

    def assigned(self, number: int) -> set[str]:
        """The names that a code cell to write in assigns in the master."""
        original = self.originals[number]
        code = original["cell_type"] == "code" and is_answer(original)
        return assigned(self.texts[number]) if code else set()

    def writes(self, number: int) -> bool:
        """True for a cell to write in that no assigned name tells apart."""
        return is_answer(self.originals[number]) and not self.assigned(number)

    def answer(self, run: list[int], number: int) -> int | None:
        """Which cell of a run is the answer: the longest one of the right kind; the first, if the next cell
        of the master waits for an answer too.
        """
        fitting = [i for i in run if self.cells[i].kind == self.originals[number]["cell_type"]]
        if number + 1 in self.free and self.writes(number + 1):
            return fitting[0] if fitting else None
        return max(fitting, key=lambda i: len(self.given[i]), default=None)


def assigned(source: str) -> set[str]:
    """The names that the text of a cell assigns at its top level.

    >>> sorted(assigned("x = 1\\ndef f(): pass\\nf(x)"))
    ['f', 'x']
    """
    return {name for pair in ASSIGNS.findall(source) for name in pair if name}


def _bare(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def _lines(source: str) -> set[str]:
    return {line.strip() for line in source.splitlines() if line.strip()}


def _share(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, len(one), len(other))
