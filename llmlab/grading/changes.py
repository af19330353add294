"""What a class's grades are, and what changed between two looks at them. Reads the ledger and the gradebook;
grades nothing.

    before = look(desk, nbgrader)      plain data, kept as JSON
    ...                                a regrade
    compare(desk, before, look(desk, nbgrader))

A change is told with its cause. The points of a cell are those that count: a person's score goes before the
grader's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nbgrader.api import MissingEntry

from llmlab.grading import summary
from llmlab.grading.exports.cells import number, safe
from llmlab.grading.intake import TIMESTAMP
from llmlab.grading.ledger import Ledger, digest
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import Desk

CHECK, SUBMISSION, PERSON, AGAIN = "check", "submission", "person", "again"
WORDS = {
    CHECK: "the check or its hidden cases changed",
    SUBMISSION: "another submission",
    PERSON: "a person's score",
    AGAIN: "examined again: same file, same check",
}
NOT_GRADED = "not graded before"
COLUMNS = (
    "student_id",
    "cell",
    "before",
    "after",
    "max",
    "cause",
    "why_before",
    "why_after",
    "total_before",
    "total_after",
)


@dataclass(frozen=True)
class Change:
    """One cell whose points changed. `before` is None where there was no grade."""

    student: str
    cell: str
    before: float | None
    after: float
    max: float
    cause: str
    why_before: str
    why_after: str


@dataclass(frozen=True)
class Kept:
    """A cell whose verdict changed below a person's score, which stays."""

    student: str
    cell: str
    score: float
    verdict_before: float | None
    verdict_after: float | None


@dataclass(frozen=True)
class Changes:
    """All changes, and the totals of every student who has one: student -> (before, after)."""

    changed: tuple[Change, ...] = ()
    kept: tuple[Kept, ...] = ()
    totals: dict[str, tuple[float | None, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "changed": [asdict(change) | {"cause": WORDS[change.cause]} for change in self.changed],
            "kept_by_hand": [asdict(kept) for kept in self.kept],
            "totals": {name: {"before": old, "after": new} for name, (old, new) in self.totals.items()},
        }

    def csv(self) -> str:
        """A row for each change; nothing in it is taken for a formula."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in self.changed:
            old, new = self.totals[one.student]
            writer.writerow(
                [
                    *map(safe, (one.student, one.cell)),
                    *map(_number, (one.before, one.after, one.max)),
                    *map(safe, (WORDS[one.cause], one.why_before, one.why_after)),
                    *map(_number, (old, new)),
                ]
            )
        return out.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else number(value)


def look(at: Desk, nbgrader: Nbgrader) -> dict[str, Any]:
    """The grades of everybody as plain data: student -> {total, cells, files, keys}."""
    ledger = Ledger(at.ledger)
    found: dict[str, Any] = {}
    rows = summary.rows(at, nbgrader)
    with nbgrader.gradebook() as gradebook:
        for row in rows:
            try:
                books = gradebook.find_submission(at.lab, row.student).notebooks
            except MissingEntry:
                continue
            told = ledger.read(row.student, "verdicts").get("cells", {})
            found[row.student] = {
                "total": row.points,
                "cells": {
                    grade.name: {
                        "points": float(grade.score),
                        "max": float(grade.max_score),
                        "auto": grade.auto_score,
                        "manual": grade.manual_score,
                        "message": str(told.get(grade.name, {}).get("message", "")),
                    }
                    for book in books
                    for grade in book.grades
                },
                "files": _files(at.submitted(row.student)),
                "keys": {
                    part: ledger.read(row.student, name).get("key", "") for part, name in records(at).items()
                },
            }
    return found


def records(at: Desk) -> dict[str, str]:
    """File that is judged -> the ledger's record of its verdicts."""
    return {f"{module}.py": f"module-{module}" for module in at.modules} | {at.notebook: "answers"}


def _files(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    return {
        file.name: digest(file.read_bytes())
        for file in sorted(folder.iterdir())
        if file.is_file() and file.name != TIMESTAMP
    }


def compare(at: Desk, before: dict[str, Any], after: dict[str, Any]) -> Changes:
    """Every changed grade, by student and cell, in the order of their names."""
    file_of = {task.id.replace(".", "-"): f"{task.module}.py" for task in at.tasks}
    changed, kept, totals = [], [], {}
    for student, new in sorted(after.items()):
        old = before.get(student, {"total": None, "cells": {}, "files": {}, "keys": {}})
        mine = list(_changed(student, old, new, file_of, at.notebook))
        changed += mine
        kept += [
            Kept(student, name, cell["manual"], past["auto"], cell["auto"])
            for name, cell in sorted(new["cells"].items())
            if (past := old["cells"].get(name)) is not None
            and cell["manual"] is not None
            and cell["auto"] != past["auto"]
        ]
        if mine or old["total"] != new["total"]:
            totals[student] = (old["total"], new["total"])
    return Changes(tuple(changed), tuple(kept), totals)


def _changed(
    student: str, old: dict[str, Any], new: dict[str, Any], file_of: dict[str, str], notebook: str
) -> Iterator[Change]:
    """The changed cells of a student. Of one who had no grade yet, the total says enough."""
    for name, cell in sorted(new["cells"].items()):
        past = old["cells"].get(name)
        if past is None or past["points"] == cell["points"]:
            continue
        file = file_of.get(name, notebook)
        cause = _cause(past, cell, file, old, new)
        yield Change(
            student,
            name,
            past["points"],
            cell["points"],
            cell["max"],
            cause,
            past["message"],
            cell["message"],
        )


def _cause(
    past: dict[str, Any], cell: dict[str, Any], file: str, old: dict[str, Any], new: dict[str, Any]
) -> str:
    if past["manual"] != cell["manual"]:
        return PERSON
    if old["files"].get(file) != new["files"].get(file):
        return SUBMISSION
    return CHECK if old["keys"].get(file) != new["keys"].get(file) else AGAIN
