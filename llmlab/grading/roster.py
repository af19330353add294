"""The roster: a CSV of the class, imported into nbgrader's gradebook so that whoever handed in nothing is
visible.

    id,first_name,last_name,email
    20260101,Ada,Lovelace,ada@example.org

Only `id` is required. Nobody is ever removed from the gradebook by an import.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook

from llmlab.grading.course import CourseError
from llmlab.grading.intake import printable, text_of
from llmlab.grading.places import is_student

COLUMNS = ("id", "first_name", "last_name", "email", "lms_id")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Student:
    """One row of the roster."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_id: str = ""


def read(file: Path) -> list[Student]:
    """The students of a roster, in its order; [] if there is no file. Raises CourseError naming the line."""
    if not file.is_file():
        return []
    rows = csv.reader(io.StringIO(text_of(file.read_bytes())[0]), strict=True)
    try:
        head = [name.strip() for name in next(rows, [])]
        _check_head(file, head)
        students = [
            _student(file, rows.line_num, head, row) for row in rows if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise CourseError(f"{file}, line {rows.line_num}: not CSV ({error}).") from None
    ids = [student.id for student in students]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise CourseError(
            f"{file}: the id {twice[0]!r} appears more than once. Keep one row for each student."
        )
    return students


def _check_head(file: Path, head: list[str]) -> None:
    unknown = [name for name in head if name not in COLUMNS]
    if "id" not in head or unknown or len(set(head)) < len(head):
        raise CourseError(
            f"{file}: its columns are {', '.join(printable(name) for name in head) or 'none'}. Needed: id. "
            f"Allowed besides: {', '.join(COLUMNS[1:])}. Rename or remove the others."
        )


def _student(file: Path, line: int, head: list[str], row: list[str]) -> Student:
    if len(row) != len(head):
        raise CourseError(
            f"{file}, line {line}: {len(row)} values for {len(head)} columns. Quote values that hold a comma."
        )
    told = {name: value.strip() for name, value in zip(head, row, strict=True)}
    if not is_student(told["id"]):
        raise CourseError(
            f"{file}, line {line}: {printable(told['id'])!r} cannot be a student id. Use letters, digits and "
            "_ . @ -, at most 64, beginning with a letter or digit."
        )
    for name, value in told.items():
        if value.startswith(FORMULA) or not value.isprintable():
            raise CourseError(
                f"{file}, line {line}: {name} {printable(value)!r} begins like a formula or holds "
                "a control character. Mend that value."
            )
    return Student(**told)


def enter(students: list[Student], gradebook: Gradebook) -> None:
    """Put the students into the gradebook; who is there already gets the roster's names."""
    for student in students:
        gradebook.update_or_create_student(
            student.id,
            first_name=student.first_name or None,
            last_name=student.last_name or None,
            email=student.email or None,
        )
