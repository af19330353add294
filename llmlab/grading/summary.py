"""What a class's grading came to: one row for every student, read from the ledger and the gradebook. It
grades nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from nbgrader.api import Gradebook, MissingEntry

from llmlab.grading import roster
from llmlab.grading.ledger import CRASHED, GRADED, LATE, MANUAL, MISSING, QUEUED, REFUSED, Ledger
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import Desk


@dataclass(frozen=True)
class Row:
    """One student's result. `to_read` counts the written answers that wait for a person; their points are
    not in yet.
    """

    student: str
    status: str
    points: float
    max_points: float
    to_read: int = 0
    reason: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""


@dataclass(frozen=True)
class Summary:
    """The result of `grade`: all rows, and how many submissions were graded in this run."""

    lab: str
    rows: tuple[Row, ...]
    examined: int = 0
    recorded: int = 0

    def row(self, student: str) -> Row:
        """One student's row. Raises KeyError."""
        for row in self.rows:
            if row.student == student:
                return row
        raise KeyError(f"no row for {student!r}; there are {', '.join(row.student for row in self.rows)}")

    def __str__(self) -> str:
        """A line for each student: id, status, points, reason (cut at 100 characters)."""
        lines = [
            f"{row.student:<{max(len(one.student) for one in self.rows)}}  {row.status:<12}  "
            f"{row.points:6.2f} / {row.max_points:g}  {short(row.reason)}"
            for row in self.rows
        ]
        return "\n".join(
            [
                *lines,
                (
                    f"{self.lab}: {len(self.rows)} students, {self.examined} modules examined, "
                    f"{self.recorded} submissions recorded in this run"
                ),
            ]
        )


def short(text: str, limit: int = 100) -> str:
    """`text` in one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def rows(desk: Desk, nbgrader: Nbgrader, refused: list[tuple[str, str]] | None = None) -> tuple[Row, ...]:
    """A row for everybody in the roster, the ledger or the gradebook, sorted by id; then the refused inbox
    entries.
    """
    ledger = Ledger(desk.ledger)
    listed = {student.id: student for student in roster.read(desk.roster)}
    with nbgrader.gradebook() as gradebook:
        everyone = {*listed, *ledger.students(), *(student.id for student in gradebook.students)}
        total = float(gradebook.find_assignment(desk.lab).max_score)
        made = [_row(desk.lab, name, listed.get(name), ledger, gradebook, total) for name in sorted(everyone)]
    made += [Row(name, REFUSED, 0.0, total, reason=reason) for name, reason in refused or []]
    return tuple(made)


def _row(
    lab: str, name: str, listed: roster.Student | None, ledger: Ledger, gradebook: Gradebook, total: float
) -> Row:
    person = listed or roster.Student(name)
    names = {"first_name": person.first_name, "last_name": person.last_name, "email": person.email}
    told = ledger.read(name, "verdicts")
    try:
        submission = gradebook.find_submission(lab, name)
    except MissingEntry:
        submission = None
    late = str(ledger.read(name, LATE).get("reason", ""))
    if submission is None:
        if late:
            return Row(name, REFUSED, 0.0, total, reason=late, **names)
        if told or ledger.read(name, "intake"):
            return Row(
                name, QUEUED, 0.0, total, reason="not in the gradebook yet: run `llmlab grade` again", **names
            )
        return Row(name, MISSING, 0.0, total, reason="nothing was handed in", **names)
    waiting = sum(grade.needs_manual_grade for notebook in submission.notebooks for grade in notebook.grades)
    status = told.get("status", CRASHED) if told else QUEUED
    reason = told.get("reason", "") if told else "not taken in by intake: run `llmlab grade` again"
    if status == GRADED and waiting:
        status = MANUAL
    if waiting:
        reason = "; ".join(filter(None, [reason, f"{waiting} written answer{'s' * (waiting > 1)} to read"]))
    if not listed:
        reason = "; ".join(filter(None, [reason, "not in the roster"]))
    off = sum(notebook.late_submission_penalty or 0.0 for notebook in submission.notebooks)
    if off:
        reason = "; ".join(filter(None, [reason, f"{off:g} points off for lateness"]))
    if late:  # it was graded when the terms were others
        status, reason = REFUSED, late
    points = max(0.0, float(submission.score) - off)
    return Row(name, status, points, total, waiting, reason or "every point", **names)
