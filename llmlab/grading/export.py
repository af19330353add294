"""Exports the grades: `grades.csv` with a row for everybody, status and reason included, and nbgrader's
own `gradebook.csv`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from llmlab.grading import summary
from llmlab.grading.course import Course, CourseError
from llmlab.grading.intake import entries
from llmlab.grading.ledger import write_atomic
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import desk
from llmlab.grading.summary import Row

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


def safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe goes before the signs that start one.

    >>> safe('=HYPERLINK("x")'), safe("-1+2"), safe("ada")
    ('\\'=HYPERLINK("x")', "'-1+2", 'ada')
    """
    text = "".join(c if c.isprintable() else " " for c in text)
    return "'" + text if text.lstrip().startswith(("=", "+", "-", "@")) else text


def table(lab: str, rows: Iterable[Row]) -> str:
    """The CSV text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        texts = [
            safe(text) for text in (row.student, row.last_name, row.first_name, row.email, lab, row.status)
        ]
        writer.writerow([*texts, f"{row.points:g}", f"{row.max_points:g}", row.to_read, safe(row.reason)])
    return out.getvalue()


def export(lab: str, course: Course) -> Path:
    """Write both files. Returns grades.csv. Raises CourseError if the lab is not released."""
    at = desk(lab, course)
    nbgrader = Nbgrader(at.root)
    if not nbgrader.has_assignment(lab):
        raise CourseError(f"{lab} is not in the gradebook. Run `llmlab release {lab}` first.")
    refused = entries(at, at.inbox)[1] if at.inbox.is_dir() else []
    file = at.root / "grades.csv"
    write_atomic(file, table(lab, summary.rows(at, nbgrader, refused)).encode("utf-8"))
    nbgrader.export(lab, at.root / "gradebook.csv")
    return file
