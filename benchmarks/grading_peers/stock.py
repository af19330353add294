"""The turn of stock nbgrader: `autograde` as it comes, one process, a kernel for each submission.

    python -m benchmarks.grading_peers.stock COURSE BLOCK

It uses the API, so that no command has to start for each student.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from benchmarks.grading_peers.gate import Gate

LAB = "lab1"


def points(api: Any, student: str) -> dict[str, float]:
    """The automatic points of every test cell of a student, from the gradebook; {} if there is no grade."""
    from nbgrader.api import MissingEntry

    with api.gradebook as gradebook:
        try:
            found = gradebook.find_submission_notebook(LAB, LAB, student)
        except MissingEntry:
            return {}
        return {grade.name: grade.auto_score for grade in found.grades if grade.auto_score is not None}


def main(folder: str, block: str) -> None:
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config.loader import PyFileConfigLoader

    warnings.simplefilter("ignore")
    gate, root = Gate(), Path(folder)
    config = PyFileConfigLoader("nbgrader_config.py", path=folder).load_config()
    api = NbGraderAPI(coursedir=CourseDirectory(config=config), config=config, log_level=logging.ERROR)
    made = api.generate_assignment(LAB, force=True, create=True)
    if not made["success"]:
        raise SystemExit(made.get("log") or made.get("error"))
    students = sorted(entry.name for entry in (root / "submitted").iterdir())
    size = int(block)
    for start in range(0, len(students), size):
        gate.wait()
        told, took = {}, {}
        for student in students[start:start + size]:
            began = time.monotonic()
            done = api.autograde(LAB, student, force=True, create=True)
            took[student] = time.monotonic() - began
            told[student] = "" if done["success"] else last_line(done)
        gate.report(done=min(start + size, len(students)), last=start + size >= len(students), failed=told, took=took,
                    points={student: points(api, student) for student in told})
    gate.wait()


def last_line(done: dict[str, Any]) -> str:
    lines = [line for line in (done.get("error", "") + done.get("log", "")).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


if __name__ == "__main__":
    main(*sys.argv[1:])
