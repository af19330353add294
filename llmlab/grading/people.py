"""Who handed this in? From the names and numbers of a learning platform to ids of the roster. It never
guesses: whoever fits two students, or none, is nobody.

A list from the platform helps (`--list`): Moodle's grading worksheet, Canvas's gradebook, or any CSV with a
column for a person and one for the time of arrival.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path

from llmlab.grading import roster
from llmlab.grading.course import CourseError
from llmlab.grading.deadlines import moment
from llmlab.grading.untrusted import printable, text_of

NUMBERS = ("identifier", "id", "user_id", "user id", "canvas id", "participant", "lms_id")
IDS = ("student id", "student_id", "sis user id", "sis login id", "id number", "username", "login_id", "id")
EMAILS = ("email address", "email", "e-mail")
NAMES = ("full name", "student", "name", "sortable name")
TIMES = ("last modified (submission)", "submitted_at", "submitted at", "received", "time")
LONG_TIMES = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%d %B %Y, %I:%M %p", "%d %B %Y, %H:%M")
"""How Moodle writes a time."""


@dataclass(frozen=True)
class Person:
    """Somebody, as a source names them: the student id itself, or a platform's number and name."""

    id: str = ""
    number: str = ""
    name: str = ""

    def __str__(self) -> str:
        return printable(self.id or f"{self.name} ({self.number})")


@dataclass
class Listed:
    """One row of the platform's list."""

    ids: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    arrived: datetime | None = None


def plain(name: str) -> str:
    """A name as it is compared: case, accents, blanks and signs do not count.

    >>> plain(" Gödel,  KURT "), plain("O'Neil")
    ('godel kurt', 'o neil')
    """
    text = unicodedata.normalize("NFKD", name).casefold()
    text = "".join(c for c in text if not unicodedata.combining(c))
    return " ".join("".join(c if c.isalnum() else " " for c in text).split())


class People:
    """The roster, and what the platform's list adds to it."""

    def __init__(self, students: list[roster.Student], listed: dict[str, Listed] | None = None):
        self.students, self.listed = students, listed or {}
        self.ids = {student.id for student in students}
        self.by_name: dict[str, set[str]] = {}
        self.by_number: dict[str, set[str]] = {}
        self.by_email: dict[str, set[str]] = {}
        for student in students:
            first, last = plain(student.first_name), plain(student.last_name)
            for name in {f"{first} {last}".strip(), f"{last} {first}".strip()} - {""}:
                self.by_name.setdefault(name.replace(" ", ""), set()).add(student.id)
            if student.email:
                self.by_email.setdefault(student.email.casefold(), set()).add(student.id)
            if student.lms_id:
                self.by_number.setdefault(student.lms_id, set()).add(student.id)

    def find(self, person: Person) -> tuple[str, str]:
        """(student id, "") or ("", why nobody)."""
        if person.id:
            return person.id, ""
        named = self._named(person.name)
        row = self.listed.get(person.number)
        for found, how in (
            (self.by_number.get(person.number, set()), f"the lms_id {person.number}"),
            (self._of_row(row) if row else set(), f"the list's row {person.number}"),
            ({person.number} & self.ids, f"the id {person.number}"),
        ):
            if len(found) == 1 and len(named) == 1 and found != named:
                return "", f"{how} belongs to {_one(found)}, but the name to {_one(named)}"
            if len(found) == 1:
                return _one(found), ""
        if len(named) == 1:
            return _one(named), ""
        if named:
            return "", f"the name fits more than one student: {', '.join(sorted(named))}"
        return "", "nobody in the roster has this name or number"

    def arrived(self, person: Person, student: str) -> datetime | None:
        """The time that the list tells of this person's submission."""
        row = self.listed.get(person.number) or self.listed.get(student)
        if row is None:
            fitting = [row for row in self.listed.values() if self._of_row(row) == {student}]
            row = fitting[0] if len({id(one) for one in fitting}) == 1 else None
        return row.arrived if row else None

    def _named(self, name: str) -> set[str]:
        return self.by_name.get(plain(name).replace(" ", ""), set()) if plain(name) else set()

    def _of_row(self, row: Listed) -> set[str]:
        for found in (
            {name for name in row.ids if name in self.ids},
            {one for email in row.emails for one in self.by_email.get(email.casefold(), ())},
            {one for name in row.names for one in self._named(name)},
        ):
            if found:
                return found
        return set()


def _one(found: set[str]) -> str:
    return next(iter(found))


def read_list(file: Path, zone: tzinfo | None) -> dict[str, Listed]:
    """Number (or id) -> row of a platform's list. Raises CourseError naming file, line and value."""
    try:
        rows = csv.reader(io.StringIO(text_of(file.read_bytes())[0]), strict=True)
        head = [name.strip().lower() for name in next(rows, [])]
        if not {*NUMBERS, *IDS, *EMAILS, *NAMES} & set(head):
            raise CourseError(
                f"{file}: no column names a person. Known: {', '.join((*NUMBERS, *IDS, *EMAILS, *NAMES))}."
            )
        found: dict[str, Listed] = {}
        for count, row in enumerate(rows):
            told = [(name, value.strip()) for name, value in zip(head, row, strict=False) if value.strip()]
            made = Listed(
                [value for name, value in told if name in IDS],
                [value for name, value in told if name in EMAILS],
                [value for name, value in told if name in NAMES],
            )
            for name, value in told:
                if name in TIMES and value != "-":
                    made.arrived = _time(value, zone, f"{file}, line {rows.line_num}: {name}")
            numbers = [value.removeprefix("Participant ") for name, value in told if name in NUMBERS]
            for number in numbers or [f"row {count}"]:
                found[number] = made
    except csv.Error as error:
        raise CourseError(f"{file}, line {rows.line_num}: not CSV ({error}).") from None
    except OSError as error:
        raise CourseError(f"{file} cannot be read: {error.strerror}.") from None
    return found


def _time(value: str, zone: tzinfo | None, where: str) -> datetime:
    for form in LONG_TIMES:
        try:
            return moment(datetime.strptime(value, form), zone, where)
        except ValueError:
            continue
    return moment(value, zone, where)
