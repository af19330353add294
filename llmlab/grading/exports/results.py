"""What is exported: a class's results, read from the gradebook (points) and the ledger (reasons). It writes
nothing.

Points are nbgrader's, so manual scores are in them. Messages are those of the ledger; the input, the expected
value and the printed output of a hidden case are never taken over; a message tells no more than the feedback
does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nbgrader.api import Gradebook, MissingEntry

from llmlab.grading import disclosure, summary
from llmlab.grading.course import CourseError
from llmlab.grading.ledger import GRADED, MANUAL, MISSING, REFUSED, UNREADABLE, Ledger
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import Desk
from llmlab.grading.summary import Row

NO_RESULT = ("queued", REFUSED)


@dataclass(frozen=True)
class Item:
    """One graded cell: a task, a number or a written answer. `waiting`: a person has to read it first."""

    id: str
    title: str
    group: str
    points: float
    max_points: float
    status: str
    message: str = ""
    misconceptions: tuple[str, ...] = ()
    seconds: float = 0.0
    waiting: bool = False


@dataclass(frozen=True)
class Result:
    """One student: the row of the summary, and every graded cell. `when`: the last verdict, by this
    machine."""

    row: Row
    items: tuple[Item, ...]
    when: datetime
    comment: str = ""
    """The reason as a student may see it, at the level of disclosure the instructor chose."""


def results(desk: Desk) -> list[Result]:
    """A result for everybody in the class, sorted by id; inbox entries that are nobody's are left out.

    Raises CourseError if the lab is not in the gradebook.
    """
    nbgrader = Nbgrader(desk.root)
    if not nbgrader.has_assignment(desk.lab):
        raise CourseError(f"{desk.lab} is not in the gradebook. Run `llmlab release {desk.lab}` first.")
    rows = [row for row in summary.rows(desk, nbgrader) if row.status != REFUSED]
    ledger, level = Ledger(desk.ledger), disclosure.chosen(desk.root, desk.lab)
    with nbgrader.gradebook() as gradebook:
        asked = _asked(gradebook, desk.lab)
        return [_result(desk, row, ledger, gradebook, asked, level) for row in rows]


def _asked(gradebook: Gradebook, lab: str) -> dict[str, float]:
    """Grade id -> points there are, in the lab's order."""
    books = gradebook.find_assignment(lab).notebooks
    return {cell.name: float(cell.max_score) for book in books for cell in book.grade_cells}


def _result(
    desk: Desk, row: Row, ledger: Ledger, gradebook: Gradebook, asked: dict[str, float], level: str
) -> Result:
    told = ledger.read(row.student, "verdicts").get("cells", {})
    seconds = _seconds(desk, ledger, row.student)
    try:
        submission = gradebook.find_submission(desk.lab, row.student)
        grades = {grade.name: grade for book in submission.notebooks for grade in book.grades}
    except MissingEntry:
        grades = {}
    items = tuple(
        _item(
            name,
            most,
            grades.get(name),
            disclosure.disclosed(told.get(name, {}), level, name),
            row,
            seconds.get(name, 0.0),
        )
        for name, most in asked.items()
    )
    file = ledger.file(row.student, "verdicts")
    when = file.stat().st_mtime if file.is_file() else 0
    return Result(row, items, datetime.fromtimestamp(int(when), UTC), _comment(row, level))


def _comment(row: Row, level: str) -> str:
    if level == "none" and row.status not in (MISSING, UNREADABLE):
        return row.status
    return row.reason if level == "full" else disclosure.without_expected(row.reason)


def _item(name: str, most: float, grade: Any, told: dict[str, Any], row: Row, seconds: float) -> Item:
    waiting = bool(grade is not None and grade.needs_manual_grade)
    status = MISSING if grade is None and row.status == MISSING else MANUAL if waiting else GRADED
    named = [group.get("misconception") for group in told.get("groups", [])] + [told.get("misconception")]
    return Item(
        id=name,
        title=told.get("title", name),
        group=name.partition("-")[0],
        points=float(grade.score or 0.0) if grade is not None else 0.0,
        max_points=most,
        status=told.get("status", status) if not waiting else MANUAL,
        message=told.get("message", "") if grade is not None else row.reason,
        misconceptions=tuple(dict.fromkeys(filter(None, named))),
        seconds=seconds,
        waiting=waiting,
    )


def _seconds(desk: Desk, ledger: Ledger, student: str) -> dict[str, float]:
    """Grade id -> seconds that its task took, as the grader's clock saw it."""
    found: dict[str, float] = {}
    for module in desk.modules:
        report = ledger.read(student, f"module-{module}").get("report") or {}
        for task in report.get("tasks", []):
            found[task["id"].replace(".", "-")] = max(0.0, float(task.get("seconds", 0.0)))
    return found
