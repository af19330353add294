"""Kill the grader in the middle, run again: exactly the rest is done, and the result is that of an
undisturbed run.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from llmlab.grading import pipeline
from llmlab.grading.ledger import Ledger
from llmlab.grading.places import desk
from llmlab.grading.sample_class import hand_in
from llmlab.grading.sample_students import Maker
from tests.grading import lab_text

STUDENTS = ("endless-loop", "mistake-01", "module-missing", "perfect")
GRADE = """
import sys
from pathlib import Path
from tests.grading import lab_text
from llmlab.grading import pipeline
from llmlab.grading.course import Course
lab_text.restrict()
pipeline.grade("lab1", Course(Path(sys.argv[1])), progress=lambda *news: print(*news, flush=True))
"""


def class_of(root):
    where = lab_text.small_course(root)
    pipeline.release("lab1", where)
    at = desk("lab1", where)
    hand_in(at, [one for one in Maker(at, 7).all() if one.student in STUDENTS])
    return at


def results(at, rows):
    """All that counts: the rows, and every verdict without the time it took."""
    ledger = Ledger(at.ledger)
    return rows, {name: ledger.read(name, "verdicts") for name in STUDENTS}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, few_tasks):
    at = class_of(tmp_path_factory.mktemp("whole") / "course")
    return results(at, pipeline.grade("lab1", at.course).rows)


@pytest.mark.parametrize(("how", "after"), [(signal.SIGKILL, 4), (signal.SIGINT, 3)])
def test_a_stopped_run_goes_on(tmp_path, undisturbed, how, after):
    """`after` lines of progress, then a signal: kill -9, or Ctrl-C."""
    at = class_of(tmp_path / "course")
    run = subprocess.Popen(
        [sys.executable, "-c", GRADE, str(at.course.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=lab_text.course().root,
        env=os.environ,
    )
    seen = [run.stdout.readline() for _ in range(after)]
    assert all(seen), "it was still running"
    os.kill(run.pid, how)
    run.stdout.read()
    assert run.wait(timeout=60) != 0
    ledger = Ledger(at.ledger)
    done = {
        (name, module)
        for name in STUDENTS
        for module in at.modules
        if ledger.read(name, f"module-{module}").get("report")
    }
    for path in at.ledger.rglob("*.json"):
        json.loads(path.read_bytes())  # nothing is half written
    jobs = {
        (name, module)
        for name in STUDENTS
        for module in at.modules
        if (at.submitted(name) / f"{module}.py").is_file()
        or (at.inbox / name / "lab1" / f"{module}.py").is_file()
    }
    assert done < jobs, "something was left to do"
    summary = pipeline.grade("lab1", at.course)
    assert summary.examined == len(jobs - done)
    assert results(at, summary.rows) == undisturbed


def test_no_process_is_left_behind(tmp_path, few_tasks):
    """After kill -9 of the grader, the warm process and the student's endless loop end too."""
    at = class_of(tmp_path / "course")
    run = subprocess.Popen(
        [sys.executable, "-c", GRADE, str(at.course.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=lab_text.course().root,
    )
    while "endless-loop running" not in run.stdout.readline():
        assert run.poll() is None
    children = descendants(run.pid)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
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
