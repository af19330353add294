"""Kill the grader twice on its way through a small class, let it go on, and keep what was printed.

    python -m tools.killed_and_resumed

Everything is real: the released lab, `llmlab grade` as an instructor calls it, kill -9. The class is the
first eight of the sample class, in a folder that is removed afterwards. The same class is then graded
undisturbed, and the two are compared. Writes results/killed_and_resumed.json and .txt, which the book shows.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import record
from llmlab.grading import sample_class
from llmlab.grading.course import Course, course
from llmlab.grading.ledger import FINAL, Ledger
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import Desk, desk
from llmlab.grading.release import release
from llmlab.grading.sample_students import Maker

ROOT = Path(__file__).resolve().parent.parent
LAB, STUDENTS, KILLED_AFTER = "lab1", 8, (2, 4)
"""The grader is killed when so many submissions have their result, in the first and in the second run."""
COMMAND = f"llmlab grade {LAB} --no-display"


def new_course(root: Path) -> Desk:
    """A course repository of its own: assignments copied, the rest linked; released, with a small class."""
    real = course(ROOT)
    root.mkdir()
    for name in ("llmlab", "solutions"):
        (root / name).symlink_to(real.root / name)
    (root / "assignments").mkdir()
    for name in ("text", "templates"):
        shutil.copytree(real.assignments / name, root / "assignments" / name)
    shutil.copy(real.assignments / "nbgrader_config.py", root / "assignments")
    at = desk(LAB, Course(root))
    kept = real.assignments / "ledger" / f"{LAB}-keys.json"
    if kept.is_file():  # the keys take a while to compute; they are used only if they are of today's files
        (root / "assignments" / "ledger").mkdir()
        shutil.copy(kept, root / "assignments" / "ledger")
    release(LAB, at.course)
    sample_class.hand_in(at, Maker(at, sample_class.SEED).all()[:STUDENTS])
    return at


def grade(at: Desk, kill_after: int = 0) -> tuple[list[str], int]:
    """What `llmlab grade` prints, and its exit code; killed when so many submissions have their result."""
    run = subprocess.Popen(
        [sys.executable, "-m", "llmlab.cli", *COMMAND.split()[1:]],
        cwd=at.course.root,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "100", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.stdout is not None
    lines = []
    for line in run.stdout:
        if line.strip():
            lines.append(line.rstrip().replace(str(at.course.root), "."))
        if kill_after and sum(f"/{STUDENTS}" in one for one in lines) >= kill_after:
            run.send_signal(signal.SIGKILL)
            break
    run.stdout.close()
    return lines, run.wait()


def examined(at: Desk) -> set[tuple[str, str]]:
    """(student, module) of every job that has its result in the ledger."""
    ledger = Ledger(at.ledger)
    found = {
        (student, module): ledger.read(student, f"module-{module}")
        for student in ledger.students()
        for module in at.modules
    }
    return {job for job, told in found.items() if told.get("report") and told.get("status") in FINAL}


def result(at: Desk) -> dict[str, object]:
    """Every verdict, and every score in the gradebook."""
    ledger = Ledger(at.ledger)
    with Nbgrader(at.root).gradebook() as gradebook:
        scores = {
            f"{one.student.id} {grade.name}": grade.score
            for one in gradebook.assignment_submissions(LAB)
            for book in one.notebooks
            for grade in book.grades
        }
    return {"scores": scores, "verdicts": {name: ledger.read(name, "verdicts") for name in ledger.students()}}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        at = new_course(Path(folder) / "course")
        text, jobs = [], []
        for kill_after in (*KILLED_AFTER, 0, 0):
            lines, code = grade(at, kill_after)
            end = "Killed" if code == -signal.SIGKILL else f"(exit code {code})"
            text += [f"$ {COMMAND}", *lines, end, ""]
            jobs.append(len(examined(at)))
        whole = new_course(Path(folder) / "undisturbed")
        grade(whole)
        same = result(at) == result(whole)
        values = {
            "students": STUDENTS,
            "jobs": jobs[-1],
            "jobs_after_first_kill": jobs[0],
            "jobs_after_second_kill": jobs[1],
            "jobs_in_the_last_run": jobs[2] - jobs[1],
            "scores": len(result(at)["scores"]),
            "same_as_undisturbed": "yes" if same else "no",
        }
    out = ROOT / "results"
    (out / "killed_and_resumed.txt").write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text), values, sep="\n")
    record.write("killed_and_resumed", "python -m tools.killed_and_resumed", values)
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
