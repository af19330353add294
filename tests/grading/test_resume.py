"""Stop the grader at any moment and run it again: exactly the ungraded are graded, nothing is graded twice,
and rows, verdicts and the gradebook are those of an undisturbed run.

Killed here: between two results, in the middle of a write to the ledger, before the rename that completes it,
in the middle of nbgrader's recording, after it, and at times drawn at random.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from llmlab.grading import pipeline
from llmlab.grading.course import Course
from llmlab.grading.ledger import FINAL, RUNNING, Ledger
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import desk
from llmlab.grading.sample_class import hand_in
from llmlab.grading.sample_students import Maker
from tests.grading import lab_text

STUDENTS = ("mistake-01", "module-missing", "perfect")
GRADE = """
import itertools, os, signal, sys
from pathlib import Path
from tests.grading import lab_text
from llmlab.grading import nbgrader_api, pipeline
from llmlab.grading.course import Course
from nbgrader.preprocessors import SaveAutoGrades

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
root, where, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
display = "display" in sys.argv[4:]
owner, name = {
    "write": (os, "fsync"),  # the bytes are in a temporary file, perhaps not all of them
    "rename": (Path, "replace"),
    "score": (SaveAutoGrades, "_add_score"),
    "recorded": (nbgrader_api.Nbgrader, "autograde"),
}.get(where, (None, ""))


def deadly(real, late, count=itertools.count(1)):
    def call(*given, **named):
        last = next(count) == number
        if last and not late:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*given, **named)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call


if __name__ == "__main__":
    lab_text.restrict()
    print("begins", flush=True)
    if owner:
        setattr(owner, name, deadly(getattr(owner, name), late=where == "recorded"))
    tell = lambda *news: print(*news, flush=True)
    pipeline.grade("lab1", Course(root), progress=tell, display=display)
"""


def class_of(root, students=STUDENTS):
    where = lab_text.released_course(root)
    at = desk("lab1", where)
    hand_in(at, [one for one in Maker(at, 7).all() if one.student in students])
    return at


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory, few_tasks):
    """A released lab with its submissions, not graded."""
    return class_of(tmp_path_factory.mktemp("new") / "course").course.root


@pytest.fixture
def at(tmp_path, handed_in):
    """A copy of it for each test."""
    shutil.copytree(handed_in, tmp_path / "course", symlinks=True)
    return desk("lab1", Course(tmp_path / "course"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, handed_in):
    root = tmp_path_factory.mktemp("whole") / "course"
    shutil.copytree(handed_in, root, symlinks=True)
    at = desk("lab1", Course(root))
    return results(at, pipeline.grade("lab1", at.course, display=False).rows)


def results(at, rows):
    """All that counts: the rows, every verdict without the time it took, every score in the gradebook."""
    ledger = Ledger(at.ledger)
    with Nbgrader(at.root).gradebook() as gradebook:
        scores = {
            (one.student.id, grade.name): (grade.score, grade.auto_score, grade.needs_manual_grade)
            for one in gradebook.assignment_submissions("lab1")
            for book in one.notebooks
            for grade in book.grades
        }
    return rows, {name: ledger.read(name, "verdicts") for name in STUDENTS}, scores


def start(at, where="", number=0, *more):
    return subprocess.Popen(
        [sys.executable, "-c", GRADE, str(at.course.root), where, str(number), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=lab_text.course().root,
    )


def done(at):
    """(student, module) of every job that has its result."""
    ledger = Ledger(at.ledger)
    everything = [(name, module) for name in STUDENTS for module in at.modules]
    records = {(name, module): ledger.read(name, f"module-{module}") for name, module in everything}
    return {job for job, record in records.items() if record.get("report") and record["status"] in FINAL}


def jobs(at):
    """(student, module) of everything that was handed in."""
    return {
        (name, module)
        for name in STUDENTS
        for module in at.modules
        if (at.inbox / name / "lab1" / f"{module}.py").is_file()
    }


def assert_whole(at):
    """No record is half written."""
    for path in at.ledger.rglob("*.json"):
        json.loads(path.read_bytes())


@pytest.mark.parametrize(("how", "after", "display"), [(signal.SIGKILL, 4, True), (signal.SIGINT, 3, False)])
def test_a_stopped_run_goes_on(at, undisturbed, how, after, display):
    """`after` lines of progress, then a signal: kill -9, or Ctrl-C."""
    run = start(at, "", 0, *["display"] * display)
    seen = [run.stdout.readline() for _ in range(1 + after)]
    assert all(seen), "it was still running"
    os.kill(run.pid, how)
    run.stdout.read()
    assert run.wait(timeout=60) != 0
    assert_whole(at)
    before = done(at)
    assert before < jobs(at), "something was left to do"
    summary = pipeline.grade("lab1", at.course, display=display)
    assert summary.examined == len(jobs(at) - before)
    assert results(at, summary.rows) == undisturbed
    again = pipeline.grade("lab1", at.course, display=display)
    assert (again.examined, again.recorded) == (0, 0) and results(at, again.rows) == undisturbed


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_again_and_again_at_every_kind_of_place(at, undisturbed, seed):
    """One class, killed four times on its way; no result is made twice, none is lost."""
    chance = random.Random(seed)
    places = [
        ("write", chance.randint(2, 14)),
        ("score", chance.randint(1, 10)),
        ("rename", chance.randint(1, 2)),
        ("recorded", 1),
    ]
    for place in places:
        before = done(at)
        run = start(at, *place)
        lines = run.stdout.read().splitlines()
        assert run.wait(timeout=60) == -signal.SIGKILL, place
        assert_whole(at)
        assert before <= done(at)
        begun = [line.split()[0] for line in lines if f" {RUNNING} " in line]
        left = [student for student, _ in jobs(at) - before]
        assert all(begun.count(name) <= left.count(name) for name in STUDENTS), "a result was made twice"
    before = done(at)
    summary = pipeline.grade("lab1", at.course, display=False)
    assert summary.examined == len(jobs(at) - before)
    assert results(at, summary.rows) == undisturbed


def test_killed_at_random_times(at, undisturbed):
    """Five times within the first seconds, whatever it was doing then."""
    chance = random.Random(3)
    for _ in range(5):
        run = start(at)
        assert run.stdout.readline() == "begins\n"
        time.sleep(chance.uniform(0.2, 4.0))
        before = done(at)
        run.kill()
        run.wait(timeout=60)
        run.stdout.close()
        assert_whole(at)
        assert before <= done(at)
    before = done(at)
    summary = pipeline.grade("lab1", at.course, display=False)
    assert summary.examined == len(jobs(at) - before)
    assert results(at, summary.rows) == undisturbed


def test_no_process_is_left_behind(tmp_path, few_tasks):
    """After kill -9 of the grader, the warm process and the student's endless loop end too."""
    at = class_of(tmp_path / "course", ("endless-loop",))
    run = start(at)
    while "endless-loop running" not in (line := run.stdout.readline()):
        assert line, "it was still running"
    for _ in range(600):
        if len(children := descendants(run.pid)) > 1:
            break
        time.sleep(0.1)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert children
    for _ in range(600):
        left = [pid for pid in children if alive(pid)]
        if not left:
            break
        time.sleep(0.1)
    assert not left


def descendants(pid):
    """The processes below one, by /proc."""
    below = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as stream:
            for child in stream.read().split():
                below += [int(child), *descendants(int(child))]
    return below


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
