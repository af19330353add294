"""Exports of a lab's grades, one module for each family of formats.

    write("canvas", "lab1", course)      assignments/exports/lab1/canvas.csv
    FORMATS                              name -> what it is, and the file it makes

None of these formats was uploaded to its system from here; each is validated by format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmlab.grading import summary
from llmlab.grading.course import Course, CourseError
from llmlab.grading.exports import classroom, gradescope, junit, tables
from llmlab.grading.exports.results import results
from llmlab.grading.intake import entries
from llmlab.grading.ledger import write_atomic
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import Desk, desk


@dataclass(frozen=True)
class Format:
    """One format: the file (or folder, if it ends in a slash) it makes, what it is, its options, its
    writer."""

    file: str
    about: str
    options: tuple[str, ...]
    make: Callable[..., dict[str, bytes]]
    """make(desk, **options) -> bytes by file name; a folder has many, a file has one named ""."""


def _generic(at: Desk) -> dict[str, bytes]:
    refused = entries(at, at.inbox)[1] if at.inbox.is_dir() else []
    return {"": tables.generic(at.lab, summary.rows(at, Nbgrader(at.root), refused)).encode()}


def _canvas(at: Desk, id_column: str = "sis-user", assignment_id: str = "") -> dict[str, bytes]:
    return {"": tables.canvas(at.lab, results(at), id_column, assignment_id).encode()}


def _moodle(at: Desk, worksheet: str = "") -> dict[str, bytes]:
    found = results(at)
    filled = tables.moodle_worksheet(found, Path(worksheet)) if worksheet else tables.moodle(at.lab, found)
    return {"": filled.encode()}


def _gradescope(at: Desk) -> dict[str, bytes]:
    return {f"{one.row.student}.json": gradescope.encode(gradescope.results_json(one)) for one in results(at)}


def _junit(at: Desk) -> dict[str, bytes]:
    return {"": junit.junit(at.lab, results(at))}


def _classroom(at: Desk) -> dict[str, bytes]:
    return {"": classroom.classroom(at.lab, at.tasks).encode()}


FORMATS = {
    "generic": Format("grades.csv", "everybody, with status and reason", (), _generic),
    "canvas": Format("canvas.csv", "Canvas: Grades, Import", ("id_column", "assignment_id"), _canvas),
    "moodle": Format(
        "moodle.csv", "Moodle: grade import, or a downloaded worksheet filled in", ("worksheet",), _moodle
    ),
    "gradescope": Format("gradescope/", "Gradescope: a results.json for each student", (), _gradescope),
    "junit": Format("junit.xml", "JUnit XML: a test suite for each student", (), _junit),
    "classroom": Format(
        "classroom.yml", "GitHub Classroom: the workflow with the public checks", (), _classroom
    ),
}


def write(name: str, lab: str, course: Course, out: Path | None = None, **options: Any) -> Path:
    """Write one format and return the file or folder; default assignments/exports/<lab>/.

    Options that are empty are as good as not given. Raises CourseError for an unknown format or option, and
    for a lab that is not in the gradebook.
    """
    if name not in FORMATS:
        raise CourseError(f"There is no format {name!r}. The formats are: {', '.join(FORMATS)}.")
    form, at = FORMATS[name], desk(lab, course)
    given = {option: value for option, value in options.items() if value}
    odd = sorted(set(given) - set(form.options))
    if odd:
        raise CourseError(
            f"The format {name} has no option {', '.join(odd)}. It has: {', '.join(form.options) or 'none'}."
        )
    to = Path(out) if out else at.root / "exports" / lab / form.file
    if form.file.endswith("/") != to.is_dir() and to.exists():
        raise CourseError(
            f"{to} is {'a folder' if to.is_dir() else 'a file'}; {name} needs the other. Name another."
        )
    if name != "classroom" and not Nbgrader(at.root).has_assignment(lab):
        raise CourseError(f"{lab} is not in the gradebook. Run `llmlab release {lab}` first.")
    for file, content in form.make(at, **given).items():
        write_atomic(to / file if file else to, content)
    return to
