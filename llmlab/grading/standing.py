"""Where everybody stands with a lab's deadline: one row for each student. It decides nothing; see `deadlines`
and `attempts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from llmlab.grading import attempts, roster
from llmlab.grading.deadlines import DAY, Terms
from llmlab.grading.intake import entries
from llmlab.grading.places import Desk

FROM = {
    attempts.LMS: "",
    attempts.GIVEN: "",
    attempts.COLLECTED: "time of collecting",
    attempts.SEEN: "time at which llmlab first saw it",
}


@dataclass(frozen=True)
class Row:
    """One student: due date, attempts, arrival and lateness of the newest one, what a person should know."""

    student: str
    due_at: datetime | None
    attempts: int
    arrived_at: datetime | None
    seconds_late: float
    note: str

    def due(self, zone: tzinfo | None = None) -> str:
        return shown(self.due_at, zone) if self.due_at else "none"

    def arrived(self, zone: tzinfo | None = None) -> str:
        return shown(self.arrived_at, zone) if self.arrived_at else "nothing"

    @property
    def late(self) -> str:
        return span(self.seconds_late) if self.seconds_late else ""


def rows(desk: Desk, terms: Terms, inbox: Path | None = None) -> list[Row]:
    """A row for everybody in the roster, the inbox or the deadlines, sorted by id. Raises CourseError."""
    inbox = inbox or desk.inbox
    listed = {student.id for student in roster.read(desk.roster)}
    handed_in = set(entries(desk, inbox)[0]) if inbox.is_dir() else set()
    named = {*terms.extensions, *terms.excused}
    return [
        _row(desk, student, inbox, terms, student in handed_in, bool(listed) and student not in listed)
        for student in sorted(listed | handed_in | named)
    ]


def _row(desk: Desk, student: str, inbox: Path, terms: Terms, handed_in: bool, unlisted: bool) -> Row:
    found = attempts.of(desk, student, inbox, terms) if handed_in else []
    last = found[-1] if found else None
    notes = []
    if student in terms.excused:
        notes.append("excused")
    elif student in terms.extensions:
        notes.append("extension")
    if found and not attempts.eligible(found, terms):
        notes.append("nothing counts: all of it came too late")
    elif last and last.late and terms.late.refused:
        notes.append("the last one in time counts")
    if last and terms.due and FROM[last.origin]:
        notes.append(FROM[last.origin])
    if unlisted:
        notes.append("not in the roster")
    return Row(
        student,
        terms.due_for(student),
        len(found),
        last.arrived if last else None,
        last.seconds_late if last else 0.0,
        "; ".join(notes),
    )


def shown(moment: datetime, zone: tzinfo | None = None) -> str:
    """A time as a person reads it, with its zone."""
    return f"{moment.astimezone(zone or UTC):%Y-%m-%d %H:%M %Z}"


def span(seconds: float) -> str:
    """How late, in words.

    >>> span(90_000), span(120), span(5)
    ('1 d 1 h', '2 min', '5 s')
    """
    days, hours, minutes = int(seconds // DAY), int(seconds % DAY // 3_600), int(seconds % 3_600 // 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{max(1, int(seconds))} s"
