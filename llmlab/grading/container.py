"""Grades one submission inside another system's container, and always leaves a valid `results.json`.

    python -m llmlab.grading.container --course DIR --lab lab1 --submission DIR --results FILE

`harness_folder` makes the folder it runs in. It grades as `llmlab grade` does, in a copy of the course that
is thrown away: one student, one attempt, the same intake, sandbox, checks and hidden cases. Files of the
submission are read as bytes; links and devices are not followed. Lateness is the other system's business.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmlab.grading import attempts, database, pipeline
from llmlab.grading.course import Course, CourseError
from llmlab.grading.exports import gradescope
from llmlab.grading.exports.results import results
from llmlab.grading.handed_in import limit
from llmlab.grading.ledger import write_atomic
from llmlab.grading.places import desk
from llmlab.grading.untrusted import FileProblem, listing, take

STUDENT = "submission"
NOT_GRADED = "Not graded: {why} This is not your mistake. Your files are kept; tell your instructor."


def grade(course: Path, lab: str, submission: Path, unprotected: bool = False) -> dict[str, Any]:
    """The results document of one submission. Raises CourseError if it cannot be graded here."""
    with tempfile.TemporaryDirectory(prefix="llmlab-") as scratch:
        where = Course(Path(scratch) / "course")
        shutil.copytree(course, where.root)
        at = desk(lab, where)
        at.roster.write_text(f"id\n{STUDENT}\n", encoding="utf-8")
        at.inbox.mkdir(exist_ok=True)
        files = _files(submission) if submission.is_dir() else {}
        if files:
            attempts.add(at, STUDENT, files, datetime.now(UTC), attempts.GIVEN)
        else:  # nothing came, which is graded too
            (at.inbox / STUDENT / lab).mkdir(parents=True)
        pipeline.grade(lab, where, display=False, unprotected=unprotected)
        return gradescope.results_json(next(one for one in results(at) if one.row.student == STUDENT))


def _files(folder: Path) -> dict[str, bytes]:
    """The plain files of a submission, as far as one may read them."""
    found = {}
    for name in listing(folder):
        try:
            found[name] = take(folder / name, limit(name))
        except FileProblem:
            continue  # a link, a device, or too large: then it is missing, and the result says so
    return found


def main(argv: list[str] | None = None) -> int:
    """Grade and write the file; 0 also when nothing could be graded, since the file then says why."""
    parser = argparse.ArgumentParser(prog="python -m llmlab.grading.container")
    for name in ("course", "submission", "results"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--lab", required=True)
    parser.add_argument("--unprotected", action="store_true", help="grade also where code cannot be confined")
    told = parser.parse_args(argv)
    os.environ.pop(database.VARIABLE, None)  # a gradebook of its own, in the copy
    try:
        document = grade(told.course, told.lab, told.submission, told.unprotected)
        content = gradescope.encode(document)
    except CourseError as error:
        content = gradescope.encode(gradescope.failed(NOT_GRADED.format(why=error)))
    except Exception as error:  # whatever it is, the student gets a readable answer
        traceback.print_exc()
        why = f"the grader failed ({type(error).__name__})."
        content = gradescope.encode(gradescope.failed(NOT_GRADED.format(why=why)))
    write_atomic(told.results, content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
