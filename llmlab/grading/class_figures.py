"""The figures of a graded class, as plain data: distribution, questions, misconceptions, who is missing or
late, who needs a look. Read from the ledger and the gradebook; it grades nothing and draws nothing.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nbgrader.api import Gradebook

from llmlab.grading.exports.cells import clean
from llmlab.grading.ledger import CRASHED, MEMORY, MISSING, QUEUED, REFUSED, TIMEOUT, UNREADABLE, Ledger
from llmlab.grading.places import Desk
from llmlab.grading.quarantine import QUARANTINE
from llmlab.grading.standing import span
from llmlab.grading.summary import Row, short

FLAGGED = {  # status or name of a failure -> what a person reads
    TIMEOUT: "time ran out",
    CRASHED: "ended its process",
    MEMORY: "memory ran out",
    UNREADABLE: "could not be read",
    "check-failed": "the check itself failed: look at it",
}
NO_MISCONCEPTION = ("not-written", "not-answered", *FLAGGED)
"""Names in the place of a misconception that are none."""
OWN_NUMBERS = re.compile(r" ?\(first difference at .*", re.DOTALL)
"""The end of a message that holds one student's numbers."""


@dataclass(frozen=True)
class Bin:
    """Totals from `low` to below `high`; the last bin holds the maximum too."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Distribution:
    """The totals of everybody who handed in."""

    count: int
    max: float
    bins: tuple[Bin, ...]
    quartiles: tuple[float, float, float] | None
    mean: float | None


@dataclass
class Question:
    """How the class did on one graded cell; `waiting` answers are still to be read by a person."""

    name: str
    title: str
    max: float
    read: str = ""
    full: int = 0
    part: int = 0
    none: int = 0
    waiting: int = 0

    @property
    def count(self) -> int:
        return self.full + self.part + self.none + self.waiting

    @property
    def failed(self) -> float:
        """The share of students without points, and half of those with a part of them; for sorting."""
        return (self.part / 2 + self.none) / self.count if self.count else 0.0


@dataclass(frozen=True)
class Misconception:
    """A mistake that the checks know by name: how many students made it, and what they were told."""

    name: str
    task: str
    count: int
    message: str
    read: str


@dataclass(frozen=True)
class Late:
    """Who was late by the due date and extension in the gradebook, and the points taken off."""

    student: str
    by: str
    penalty: float


@dataclass
class Figures:
    """Everything that the page shows about the class."""

    distribution: Distribution
    questions: list[Question]
    misconceptions: list[Misconception]
    missing: list[Row]
    late: list[Late]
    flags: dict[str, list[str]]
    pairs: list[dict[str, Any]]
    quarantined: list[tuple[str, str]]
    to_read: int = 0
    seconds: float = 0.0
    slowest: list[tuple[str, float]] = field(default_factory=list)


def figures(at: Desk, gradebook: Gradebook, rows: Sequence[Row]) -> Figures:
    """The figures of a lab. rows: everybody, from `summary.rows`."""
    ledger = Ledger(at.ledger)
    graded = {one.student.id: one for one in gradebook.assignment_submissions(at.lab) if one.notebooks}
    cells = {name: ledger.read(name, "verdicts").get("cells", {}) for name in graded}
    totals = {row.student: row.points for row in rows}
    seconds = {name: _seconds(at, ledger, name) for name in graded}
    return Figures(
        distribution([totals[name] for name in graded], rows[0].max_points if rows else 0.0),
        _questions(graded.values(), cells),
        _misconceptions(cells),
        [row for row in rows if row.status in (MISSING, REFUSED) and row.student not in graded],
        [
            Late(name, span(one.total_seconds_late), float(one.late_submission_penalty or 0.0))
            for name, one in sorted(graded.items())
            if one.total_seconds_late > 0
        ],
        {row.student: found for row in rows if (found := _flags(row, ledger, cells.get(row.student, {})))},
        _pairs(at),
        _quarantined(at),
        sum(row.to_read for row in rows),
        sum(seconds.values()),
        sorted(seconds.items(), key=lambda one: -one[1])[:3],
    )


def distribution(totals: Sequence[float], most: float) -> Distribution:
    """Bins of a round width, about ten of them, and the quartiles.

    >>> [(one.low, one.count) for one in distribution([0, 3.9, 4, 40], 40).bins if one.count]
    [(0.0, 2), (4.0, 1), (36.0, 1)]
    """
    width = round_width(most)
    number = max(1, math.ceil(round(most / width, 9)))
    counts = Counter(min(max(int(total / width + 1e-9), 0), number - 1) for total in totals)
    bins = tuple(Bin(i * width, min((i + 1) * width, max(most, width)), counts[i]) for i in range(number))
    if not totals:
        return Distribution(0, most, bins, None, None)
    several = totals if len(totals) > 1 else [*totals, *totals]
    low, middle, high = statistics.quantiles(several, n=4, method="inclusive")
    return Distribution(len(totals), most, bins, (low, middle, high), statistics.fmean(totals))


def round_width(most: float) -> float:
    """The smallest of ... 1, 2, 4, 5, 10 ... that needs at most ten bins.

    >>> [round_width(most) for most in (100, 40, 34.5, 1, 0)]
    [10.0, 4.0, 4.0, 0.1, 1.0]
    """
    if most <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(most / 10) + 1e-9)
    return next(step * unit for step in (1.0, 2.0, 4.0, 5.0, 10.0) if step * unit * 10 >= most - 1e-9)


def _questions(submissions: Any, cells: dict[str, dict[str, Any]]) -> list[Question]:
    """Every graded cell, the most failed first."""
    told = {name: cell for mine in cells.values() for name, cell in mine.items()}
    made: dict[str, Question] = {}
    for submission in submissions:
        for grade in (grade for book in submission.notebooks for grade in book.grades):
            cell = told.get(grade.name, {})
            question = made.setdefault(
                grade.name,
                Question(
                    grade.name,
                    str(cell.get("title", grade.name)),
                    float(grade.max_score),
                    str(cell.get("read", "")),
                ),
            )
            if grade.needs_manual_grade:
                question.waiting += 1
            elif grade.score >= grade.max_score:
                question.full += 1
            elif grade.score > 0:
                question.part += 1
            else:
                question.none += 1
    return sorted(made.values(), key=lambda one: (-one.failed, one.name))


def _named(cell: dict[str, Any]) -> dict[str, str]:
    """Misconceptions of one verdict -> the message."""
    groups = [cell, *(group for group in cell.get("groups", []) if isinstance(group, dict))]
    return {
        str(group["misconception"]): str(group.get("message", ""))
        for group in groups
        if group.get("misconception")
    }


def _misconceptions(cells: dict[str, dict[str, Any]]) -> list[Misconception]:
    """Recognised mistakes, the most frequent first; a student counts once for each task."""
    count: Counter[tuple[str, str]] = Counter()
    about: dict[tuple[str, str], tuple[str, str]] = {}
    for mine in cells.values():
        for name, cell in mine.items():
            for which, message in _named(cell).items():
                if which not in NO_MISCONCEPTION:
                    key = (which, str(cell.get("title", name)))
                    count[key] += 1
                    about.setdefault(
                        key, (short(OWN_NUMBERS.sub("", clean(message)), 220), str(cell.get("read", "")))
                    )
    return [
        Misconception(which, task, number, *about[which, task])
        for (which, task), number in sorted(count.items(), key=lambda one: (-one[1], one[0]))
    ]


def _flags(row: Row, ledger: Ledger, cells: dict[str, Any]) -> list[str]:
    """Why a person should look at this submission, in words."""
    found = []
    for name, cell in cells.items():
        kinds = [str(cell.get("status", "")), *_named(cell)]
        for kind in dict.fromkeys(kinds):
            if kind in FLAGGED and kind != UNREADABLE:
                found.append(f"{cell.get('title', name)}: {FLAGGED[kind]}")
    intake = ledger.read(row.student, "intake")
    for part in intake.get("parts", []):
        if isinstance(part, dict) and part.get("status") == UNREADABLE:
            found.append(str(part.get("reason") or f"{part.get('name')} {FLAGGED[UNREADABLE]}"))
    unread = {str(cell.get("message", "")) for cell in cells.values() if cell.get("status") == UNREADABLE}
    found += sorted(unread - set(found))
    if row.status == QUEUED:
        found.append(row.reason)
    return [short(clean(one), 240) for one in dict.fromkeys(found) if one]


def _seconds(at: Desk, ledger: Ledger, student: str) -> float:
    """The time that examining a student's modules took."""
    told = [ledger.read(student, f"module-{module}").get("seconds", 0.0) for module in at.modules]
    return float(sum(one for one in told if isinstance(one, (int, float)) and not isinstance(one, bool)))


def _pairs(at: Desk) -> list[dict[str, Any]]:
    """The similarity report, if there is one that can be read."""
    try:
        found = json.loads((at.ledger / "similarity.json").read_bytes())["pairs"]
        return [
            {"a": str(one["a"]), "b": str(one["b"]), "module": str(one["module"])}
            | {"share": float(one["share"]), "why": short(clean(str(one.get("why", ""))), 200)}
            for one in found
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _quarantined(at: Desk) -> list[tuple[str, str]]:
    """What could not be taken in: whose it seems to be, and why."""
    found = []
    for file in sorted((at.root / QUARANTINE / at.lab).glob("*/report.json")):
        try:
            told = json.loads(file.read_bytes())
            found.append((clean(str(told["from"])), short(clean(str(told["reason"])), 240)))
        except (OSError, ValueError, KeyError, TypeError):
            found.append((clean(file.parent.name), "its report cannot be read"))
    return found
