"""Which of the files handed in is the lab's notebook, and which are its modules? It reads names and texts,
and runs nothing.

A file under its own name is taken as it is. Only where that name is missing, or where several notebooks were
handed in, the others are looked at: by what their names still say, and by what is in them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmlab.grading.handed_in import is_module, is_notebook
from llmlab.grading.matching import Cell, Match, is_answer, match, text
from llmlab.grading.rebuild import NotebookError, parse
from llmlab.grading.receipt import RECEIPT
from llmlab.grading.untrusted import printable, text_of

MAX_LOOKED_AT = 20
RENAMED = r"(?:[ _-]*+(?:\(\d++\)|v?\d++|copy ?\d*+|final|new|old|fixed|submission))*+"
"""What is put after a name by a browser, a file manager, Jupyter, or a student. It never goes back over what
it has read: a name made for that would take years.
"""


@dataclass(frozen=True)
class Candidate:
    """A notebook that was handed in, and how far it is the lab's: which cells of the master it has, in how
    many of them the student wrote, and whether it has half of the master at least.
    """

    name: str
    cells: list[Cell]
    matched: Match
    work: int
    whole: bool

    def rank(self, wanted: str) -> tuple:
        """The greater one is taken: the right name on a notebook of the lab that was worked in; else the one
        that shares most cells with the master; then the most work, the right name, the shortest path.
        """
        named = self.name == wanted
        return (
            named and self.whole and self.work > 0,
            self.matched.known,
            self.work,
            named,
            -self.name.count("/"),
            -len(self.name),
            self.name,
        )


def notebook(files: Mapping[str, bytes], wanted: str, master: dict[str, Any]) -> tuple[str, list[str]]:
    """The name of the file to read as the notebook, and notes. `wanted` if no other can be it."""
    names = [name for name in files if is_notebook(name) and name != RECEIPT]
    others = [name for name in names if name != wanted]
    if wanted in files and not any(name.lower().endswith(".ipynb") for name in others):
        others = []
    if not others:
        return wanted, []
    found = [
        one
        for name in sorted([wanted] if wanted in files else []) + sorted(others, key=_near)[:MAX_LOOKED_AT]
        if (one := _candidate(name, files[name], master)) is not None
    ]
    known = [one for one in found if one.matched.known]
    if not known:
        only = [name for name in others if name.lower().endswith(".ipynb")]
        if wanted in files or len(only) != 1:
            return wanted, []
        return only[0], [f"{printable(only[0])} was taken for {wanted}"]
    best = max(known, key=lambda one: one.rank(wanted))
    if best.name == wanted:
        return wanted, [f"{len(others)} other notebooks were left: {_listed(others)}"]
    note = f"{printable(best.name)} was taken for {wanted}"
    left = [name for name in names if name != best.name]
    return best.name, [f"{note}; left: {_listed(left)}" if left else note]


def _candidate(name: str, raw: bytes, master: dict[str, Any]) -> Candidate | None:
    try:
        cells = parse(text_of(raw)[0])
    except NotebookError:
        return None
    matched = match(master, cells)
    work = sum(
        is_answer(original) and cell.source.strip() not in ("", text(original).strip())
        for cell, number in zip(cells, matched.numbers, strict=True)
        if number is not None and (original := master["cells"][number])
    )
    return Candidate(name, cells, matched, work, 2 * matched.known >= len(master["cells"]))


def module(
    files: Mapping[str, bytes], wanted: str, functions: tuple[str, ...], taken: frozenset[str]
) -> tuple[str, list[str], str]:
    """The name of the file to take for the module `wanted` ("decoding.py"), notes, and why none was found.

    Files of other modules (`taken`) are no candidates. First what the name still says, then the functions
    that a file defines: it is taken if no other file could be it.
    """
    if wanted in files:
        return wanted, [], ""
    stem = re.escape(wanted.removesuffix(".py"))
    pattern = re.compile(rf"(?:copy of )?{stem}{RENAMED}\.py(?:\.txt)?", re.IGNORECASE)
    others = [name for name in files if name not in taken and is_module(name)]
    exact = [name for name in others if _base(name) == wanted]
    alike = [name for name in others if pattern.fullmatch(_base(name))]
    defining = [name for name in others if _defines(files[name], functions)]
    for found in (exact, alike, defining):
        if len({files[name] for name in found}) == 1:
            best = min(found, key=_near)
            return best, [f"{printable(best)} was taken for {wanted}"], ""
        if found:
            return wanted, [], f"{wanted} was not handed in; it could be any of {_listed(found)}"
    return wanted, [], ""


def _defines(raw: bytes, functions: tuple[str, ...]) -> bool:
    """True if a file defines at least half of the functions (and two of them, where there are so many)."""
    source = text_of(raw)[0]
    found = set(re.findall(r"^(?:async\s+)?(?:def|class)\s+(\w+)", source, re.MULTILINE)) & set(functions)
    return len(found) >= max(min(2, len(functions)), len(functions) / 2) and bool(functions)


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _near(name: str) -> tuple:
    return name.count("/"), len(name), name


def _listed(names: list[str], limit: int = 3) -> str:
    shown = ", ".join(printable(name, 40) for name in sorted(names, key=_near)[:limit])
    return shown + (", ..." if len(names) > limit else "")
