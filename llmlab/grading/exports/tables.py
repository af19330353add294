"""The CSV tables: our own, Canvas's gradebook import, Moodle's grade import and its offline grading
worksheet.

Validated by format, not uploaded: the columns are those the two systems document and write themselves.

A student without a result (nothing handed in, or not graded yet) has an empty score in Canvas and Moodle,
which leaves their gradebook as it is; a zero is the instructor's decision there.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable
from pathlib import Path

from llmlab.grading.course import CourseError
from llmlab.grading.exports.cells import clean, number, safe
from llmlab.grading.exports.results import NO_RESULT, Result
from llmlab.grading.ledger import MISSING
from llmlab.grading.summary import Row
from llmlab.grading.untrusted import printable, text_of

COLUMNS = (
    "student_id",
    "last_name",
    "first_name",
    "email",
    "assignment",
    "status",
    "score",
    "max_score",
    "to_read",
    "reason",
)
CANVAS_IDS = {"sis-user": 2, "sis-login": 3, "canvas": 1}
"""The column of Canvas in which the roster's id belongs."""


def _csv(rows: Iterable[Iterable[str]], end: str = "\n") -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator=end).writerows(rows)
    return out.getvalue()


def generic(lab: str, rows: Iterable[Row]) -> str:
    """Everybody with status, score and reason; also the inbox entries that were refused."""
    table: list[list[str]] = [list(COLUMNS)]
    for row in rows:
        texts = (row.student, row.last_name, row.first_name, row.email, lab, row.status)
        scores = (number(row.points), number(row.max_points), str(row.to_read))
        table.append([*map(safe, texts), *scores, safe(row.reason)])
    return _csv(table)


def score(row: Row) -> str:
    """The points so far, or "" for a student without a result."""
    return "" if row.status in (MISSING, *NO_RESULT) else number(row.points)


def canvas(lab: str, results: list[Result], id_column: str = "sis-user", assignment_id: str = "") -> str:
    """Canvas's gradebook CSV: five fixed columns, the assignment, and a row "Points Possible" under the
    header.

    id_column: where the roster's id goes: "sis-user", "sis-login" or "canvas". assignment_id: the number in
    the address of the assignment's page; without it Canvas asks which assignment is meant. Raises
    CourseError.
    """
    if id_column not in CANVAS_IDS:
        raise CourseError(f"Canvas has no id column {id_column!r}. There are: {', '.join(CANVAS_IDS)}.")
    if assignment_id and not (assignment_id.isascii() and assignment_id.isdigit()):
        raise CourseError(
            f"{printable(assignment_id)!r} is no Canvas assignment id. It is the number at the end of the "
            "assignment's address."
        )
    name = f"{lab} ({assignment_id})" if assignment_id else lab
    most = number(results[0].row.max_points) if results else ""
    table = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", name],
        ["    Points Possible", "", "", "", "", most],
    ]
    for one in results:
        who = ", ".join(filter(None, (one.row.last_name, one.row.first_name))) or one.row.student
        cells = [safe(who), "", "", "", "", score(one.row)]
        cells[CANVAS_IDS[id_column]] = safe(one.row.student)
        table.append(cells)
    return _csv(table)


def comment(result: Result) -> str:
    """The reason as a comment. Moodle shows comments as HTML, so signs of markup are escaped."""
    return safe(html.escape(clean(result.comment), quote=False))


def moodle(lab: str, results: list[Result]) -> str:
    """Moodle's grade import (Grades, Import, CSV file): map by `ID number` or by `Email address`."""
    head = ["First name", "Last name", "ID number", "Email address"]
    table = [[*head, f"Assignment: {lab} (Real)", f"Assignment: {lab} (Feedback)"]]
    for one in results:
        row = one.row
        who = map(safe, (row.first_name, row.last_name, row.student, row.email))
        given = score(row)
        table.append([*who, given, comment(one) if given else ""])
    return _csv(table)


def _decimal(text: str) -> float:
    """A number as Moodle writes it, with a point or a comma; NaN if it is none."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return float("nan")


def moodle_worksheet(results: list[Result], worksheet: Path) -> str:
    """Moodle's offline grading worksheet, as downloaded, with `Grade` and `Feedback comments` filled in.

    Matched by `ID number`, else by `Email address`, else not touched. All other cells stay as they are:
    Moodle compares them. Raises CourseError if it is no such worksheet, or if its maximum grade is another.
    """
    try:
        text = text_of(worksheet.read_bytes())[0]
        table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (OSError, csv.Error) as error:
        raise CourseError(
            f"{worksheet} cannot be read as CSV: {error}. Download the worksheet again."
        ) from None
    head = table[0] if table else []
    missing = [name for name in ("Identifier", "Grade", "Feedback comments") if name not in head]
    if missing:
        raise CourseError(
            f"{worksheet} has no column {', '.join(missing)}. In the assignment's settings switch on "
            "'Offline grading worksheet' and 'Feedback comments', then download it again."
        )
    by_id = {one.row.student: one for one in results}
    by_email = {one.row.email.lower(): one for one in results if one.row.email}
    for cells in table[1:]:
        told = dict(zip(head, cells, strict=False))
        one = by_id.get(told.get("ID number", "")) or by_email.get(told.get("Email address", "").lower())
        if one is None or not score(one.row) or len(cells) != len(head):
            continue
        most = told.get("Maximum Grade", told.get("Maximum grade", ""))
        if most and _decimal(most) != one.row.max_points:
            raise CourseError(
                f"{worksheet}: the maximum grade is {most}; here it is {number(one.row.max_points)}. "
                "Make them equal in the assignment's settings."
            )
        cells[head.index("Grade")] = score(one.row)
        cells[head.index("Feedback comments")] = comment(one)
    return _csv(table)
