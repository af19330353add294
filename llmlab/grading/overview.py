"""The instructor's summary page of a graded class: one HTML file that needs nothing else and runs no script.

    assignments/overview/<lab>.html       from assignments/templates/overview.html.j2

The figures are `class_figures`'; here they get an order, words and a template. Every text is escaped by the
template engine, and every chart stands beside the same numbers as text.
"""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import quote

import jinja2
import torch

from llmlab import __version__
from llmlab.grading import summary
from llmlab.grading.class_figures import Figures, figures
from llmlab.grading.course import Course, CourseError
from llmlab.grading.database import shown
from llmlab.grading.ledger import Ledger, write_atomic
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import Desk, desk
from llmlab.grading.render import points
from llmlab.grading.verdicts import check_version

TEMPLATE = "overview.html.j2"
BOOK = "../../_build/html/"
"""Where the book lies from the page, if LLMLAB_BOOK_URL says nothing else."""


def overview(lab: str, course: Course) -> Path:
    """Write the page of a lab. Returns it. Raises CourseError if nothing has been graded yet."""
    at = desk(lab, course)
    nbgrader = Nbgrader(at.root)
    ledger = Ledger(at.ledger)
    if not nbgrader.has_assignment(lab) or not ledger.students():
        raise CourseError(f"No submission of {lab} has been graded. Run `llmlab grade {lab}` first.")
    rows = summary.rows(at, nbgrader)
    with nbgrader.gradebook() as gradebook:
        found = figures(at, gradebook, rows)
    file = at.root / "overview" / f"{lab}.html"
    write_atomic(file, page(at, found, len(rows), nbgrader.coursedir.db_url).encode("utf-8", "replace"))
    return file


def page(at: Desk, found: Figures, students: int, gradebook: str) -> str:
    """The page's HTML."""
    file = at.root / "templates" / TEMPLATE
    if not file.is_file():
        raise CourseError(f"The template {file} is missing. Restore it from the repository.")
    engine = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    engine.filters |= {"points": points, "percent": percent}
    return engine.from_string(file.read_text(encoding="utf-8")).render(
        lab=at.lab,
        students=students,
        figures=found,
        tallest=max([1, *(one.count for one in found.distribution.bins)]),
        commonest=max([1, *(one.count for one in found.misconceptions)]),
        feedback={name: link for name in found.flags if (link := _feedback(at, name))},
        book=os.environ.get("LLMLAB_BOOK_URL", BOOK),
        graded=_graded(at),
        made=_time(datetime.now(UTC)),
        versions=versions(at, gradebook),
    )


def percent(part: float, whole: float) -> str:
    """A share in whole percent; never 0 or 100 for what is neither.

    >>> percent(1, 3), percent(1, 1_000), percent(999, 1_000), percent(0, 0)
    ('33 %', '<1 %', '>99 %', '–')
    """
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 1:
        return "<1 %"
    if 99 < share < 100:
        return ">99 %"
    return f"{share:.0f} %"


def versions(at: Desk, gradebook: str) -> list[tuple[str, str]]:
    """What the page was made with, and the checks as they are now."""
    told = [("llmlab", __version__), ("Python", platform.python_version()), ("torch", torch.__version__)]
    try:
        told.append(("nbgrader", version("nbgrader")))
    except PackageNotFoundError:
        pass
    told += [(f"check of {module}", check_version(module)[:12]) for module in at.modules]
    kind = "SQLite" if gradebook.startswith("sqlite") else shown(gradebook)
    return [*told, ("gradebook", kind)]


def _graded(at: Desk) -> tuple[str, str] | None:
    """When the first and the last verdict were written."""
    times = [file.stat().st_mtime for file in at.ledger.glob("*/verdicts.json")]
    if not times:
        return None
    return _time(datetime.fromtimestamp(min(times), UTC)), _time(datetime.fromtimestamp(max(times), UTC))


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _feedback(at: Desk, student: str) -> str:
    """The way to a student's feedback page, or "" if it is not written yet."""
    if not (at.feedback(student) / f"{at.lab}.html").is_file():
        return ""
    return f"../feedback/{quote(student)}/{at.lab}/{at.lab}.html"
