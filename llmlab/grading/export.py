"""`llmlab export`: `grades.csv` with a row for everybody, status and reason included, and nbgrader's own
`gradebook.csv` of every lab. The other formats are in `exports/`.

`grades.csv` is about the lab exported last; each lab's own stays in `exports/<lab>/grades.csv`.
"""

from __future__ import annotations

from pathlib import Path

from llmlab.grading import deadlines, exports, late_penalty
from llmlab.grading.course import Course, CourseError
from llmlab.grading.exports.cells import safe
from llmlab.grading.exports.tables import COLUMNS
from llmlab.grading.exports.tables import generic as table
from llmlab.grading.ledger import write_atomic
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import desk

__all__ = ["COLUMNS", "export", "safe", "table"]


def export(lab: str, course: Course) -> Path:
    """Write the files. Returns grades.csv. Raises CourseError if the lab is not released."""
    at = desk(lab, course)
    nbgrader = Nbgrader(at.root)
    if not nbgrader.has_assignment(lab):
        raise CourseError(f"{lab} is not in the gradebook. Run `llmlab release {lab}` first.")
    with nbgrader.gradebook() as gradebook:  # a person may have given points since the last grading
        late_penalty.assess(gradebook, lab, deadlines.read(at))
    kept = exports.write("generic", lab, course)
    write_atomic(at.root / "grades.csv", kept.read_bytes())
    nbgrader.export(at.root / "gradebook.csv")
    return at.root / "grades.csv"
