"""What the grader received and graded, for each student, as a file the instructor can publish.

    assignments/receipts/<lab>/<student>.json

It lists every attempt with the time at which it arrived by the trusted clock, the SHA-256 of each file in it,
and the SHA-256 of what was graded. A student compares them with the receipt of `llmlab submit`, whose hashes
are made in the same way. Times of the student's own clock are not in it. The graded notebook is rebuilt on
the released one, so its hash differs from the one handed in; modules differ only where their encoding had to
be repaired.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from llmlab import __version__
from llmlab.grading import attempts, deadlines, receipt, summary
from llmlab.grading.attempts import Attempt
from llmlab.grading.course import Course, CourseError
from llmlab.grading.ledger import Ledger, write_atomic
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import Desk, desk
from llmlab.grading.untrusted import FileProblem, listing, printable, take

VERSION = 1
LARGEST = 64 * 2**20


def acknowledge(lab: str, course: Course) -> list[Path]:
    """Write a receipt for everybody whose work was taken in. Returns the files; one that says the same is
    left alone.

    Raises CourseError if the lab is not released, or nothing was taken in yet.
    """
    at = desk(lab, course)
    nbgrader = Nbgrader(at.root)
    if not nbgrader.has_assignment(lab):
        raise CourseError(f"{lab} is not in the gradebook. Run `llmlab release {lab}` first.")
    ledger = Ledger(at.ledger)
    rows = {row.student: row for row in summary.rows(at, nbgrader)}
    students = [student for student in ledger.students() if ledger.read(student, "intake")]
    if not students:
        raise CourseError(f"Nothing of {lab} was taken in yet. Run `llmlab grade {lab}` first.")
    terms, made = deadlines.read(at), []
    for student in students:
        row = rows[student]
        told = {
            "version": VERSION,
            "llmlab": __version__,
            "lab": lab,
            "student": student,
            "attempts": [_attempt(at, one) for one in attempts.of(at, student, terms=terms)],
            "graded": _hashes(at.submitted(student), skip=("timestamp.txt",)),
            "status": row.status,
            "points": row.points,
            "max_points": row.max_points,
        }
        file = at.root / "receipts" / lab / f"{student}.json"
        content = (json.dumps(told, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()
        if not file.is_file() or file.read_bytes() != content:
            write_atomic(file, content)
        made.append(file)
    return made


def _attempt(at: Desk, attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "arrived": attempt.arrived.isoformat(),
        "clock": attempt.origin,
        "late": attempt.late,
        "files": _hashes(attempt.folder),
        "submit_receipt": _agreement(at, attempt.folder),
    }


def _agreement(at: Desk, folder: Path) -> str:
    """Whether the receipt that `llmlab submit` packed fits the files beside it."""
    try:
        raw = take(folder / receipt.RECEIPT, receipt.MAX_RECEIPT)
    except FileProblem:
        return "none"
    files = {}
    for name in (at.notebook, *(f"{module}.py" for module in at.modules)):
        try:
            files[name] = take(folder / name, LARGEST)
        except FileProblem:
            continue
    return "; ".join(receipt.differences(raw, files)) or "agrees"


def _hashes(folder: Path, skip: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Name, size and SHA-256 of the plain files in a folder, sorted; names as one safe line each."""
    found = []
    for name in sorted(listing(folder)) if folder.is_dir() else []:
        if name in skip:
            continue
        try:
            content = take(folder / name, LARGEST)
        except FileProblem as problem:
            found.append({"name": printable(name), "unread": str(problem)})
            continue
        found.append(
            {"name": printable(name), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        )
    return found
