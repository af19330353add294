"""A check is mended: what it touches is graded again, every changed grade is told, and what a person gave
stays.

The check is mended as an instructor would do it: the extra hidden cases of `penalties` come from a file of
the test's own course, which is wrong at first.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from llmlab.cli import regrading_commands
from llmlab.cli.console import Stop
from llmlab.grading import changes, pipeline, regrade
from llmlab.grading.course import Course, CourseError
from llmlab.grading.ledger import Ledger
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import desk
from llmlab.grading.sample_class import hand_in
from llmlab.grading.sample_students import Maker
from tests.grading import lab_text

STUDENTS = ("mistake-01", "perfect", "untouched")
CELL = "penalties-presence_penalty"
LINE = 'soft.soft_case("presence_penalty", soft.COUNT, *wide, 1.9)'
SLIP = f"__import__('dataclasses').replace({LINE}, expect={LINE.replace('1.9', '2.9')}.expect)"
"""The hidden case as somebody got it wrong: the penalty of the expected value is not the one of the input."""
REGRADE = """
import sys
from pathlib import Path
from tests.grading import lab_text
from llmlab.grading import regrade
from llmlab.grading.course import Course
lab_text.restrict()
where = Course(Path(sys.argv[1]))
regrade.regrade("lab1", where, progress=lambda *news: print(*news, flush=True), display=False)
"""


def hidden_file(at, line):
    """Write the hidden cases of `penalties` with this line in place of LINE."""
    file = at.course.solutions / "hidden" / "penalties.py"
    text = file.read_text()
    file.unlink()  # a link to the real one
    file.write_text(text.replace(SLIP, LINE).replace(LINE, line))


def again(*given, **named):
    """A regrade without the cells' figures, which take long and change no grade."""
    return regrade.regrade(*given, display=False, **named)


def class_of(root, line=SLIP):
    at = desk("lab1", lab_text.released_course(root))
    hidden_file(at, line)
    hand_in(at, [one for one in Maker(at, 7).all() if one.student in STUDENTS])
    pipeline.grade("lab1", at.course, display=False)
    return at


def scores(at):
    """(student, cell) -> (what the grader gave, what a person gave, comment)."""
    with Nbgrader(at.root).gradebook() as gradebook:
        return {
            (one.student.id, grade.name): (
                grade.auto_score,
                grade.manual_score,
                next((c.manual_comment for c in book.comments if c.name == grade.name), None),
            )
            for one in gradebook.assignment_submissions("lab1")
            for book in one.notebooks
            for grade in book.grades
        }


def by_hand(at, student, cell, score, comment=None):
    """Give a score and a comment as formgrader does."""
    with Nbgrader(at.root).gradebook() as gradebook:
        grade = gradebook.find_grade(cell, "lab1", "lab1", student)
        grade.manual_score, grade.needs_manual_grade = score, False
        if comment:
            gradebook.find_comment(cell, "lab1", "lab1", student).manual_comment = comment
        gradebook.db.commit()


@pytest.fixture(scope="module")
def right(tmp_path_factory, few_tasks):
    """Scores of the same class, graded with the right case from the beginning."""
    return scores(class_of(tmp_path_factory.mktemp("right") / "course", LINE))


@pytest.fixture(scope="module")
def graded_once(tmp_path_factory, few_tasks):
    return class_of(tmp_path_factory.mktemp("wrong") / "course").course.root


@pytest.fixture
def at(tmp_path, graded_once):
    """The desk of a class that was graded with the wrong case; a copy for each test."""
    shutil.copytree(graded_once, tmp_path / "course", symlinks=True)
    return desk("lab1", Course(tmp_path / "course"))


def test_a_mended_check_is_graded_again_and_every_change_is_told(at, right):
    before = scores(at)
    by_hand(at, "perfect", "written-loops", 2.5, "A good example. 好")
    by_hand(at, "mistake-01", CELL, 1.25)
    assert not regrade.due(at)
    assert before["perfect", CELL][0] < right["perfect", CELL][0], "the wrong case cost points"
    hidden_file(at, LINE)
    penalties = {(name, "penalties.py") for name in STUDENTS}
    assert {(job.student, job.file) for job in regrade.due(at)} == penalties
    assert {job.why for job in regrade.due(at)} == {"the check or its hidden cases changed"}

    made = again("lab1", at.course)

    after = scores(at)
    assert made.examined == len(STUDENTS) and not made.resumed and not made.left and not regrade.due(at)
    assert {key: told[0] for key, told in after.items()} == {key: told[0] for key, told in right.items()}
    assert after["perfect", "written-loops"][1:] == (2.5, "A good example. 好")
    assert after["mistake-01", CELL][1] == 1.25
    (told,) = made.changes.changed
    gained = right["perfect", CELL][0] - before["perfect", CELL][0]
    assert (told.student, told.cell, told.cause) == ("perfect", CELL, changes.CHECK)
    assert (told.before, told.after) == (before["perfect", CELL][0], right["perfect", CELL][0])
    assert told.why_before != told.why_after == "All cases passed."
    old, new = made.changes.totals["perfect"]
    assert set(made.changes.totals) == {"perfect"} and new - old == pytest.approx(gained)
    (kept,) = made.changes.kept
    assert (kept.student, kept.cell, kept.score) == ("mistake-01", CELL, 1.25)
    assert kept.verdict_before == before["mistake-01", CELL][0]
    assert kept.verdict_after == right["mistake-01", CELL][0]

    report = json.loads(made.report.read_text())
    assert [one["cell"] for one in report["changed"]] == [CELL]
    assert report["totals"]["perfect"]["after"] == new
    with made.report.with_suffix(".csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert (row["student_id"], row["cell"], float(row["total_after"])) == ("perfect", CELL, new)
    second = again("lab1", at.course)
    assert (second.examined, second.recorded, second.changes) == (0, 0, changes.Changes())
    assert second.report != made.report and made.report.is_file()


def test_a_killed_regrade_goes_on_and_compares_with_the_grades_before_it(at, right):
    """Killed when the first submissions have their new grades: their changes are reported all the same."""
    before = scores(at)
    hidden_file(at, LINE)
    run = subprocess.Popen(
        [sys.executable, "-c", REGRADE, str(at.course.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=lab_text.course().root,
    )
    while "perfect needs manual" not in (line := run.stdout.readline()) and "perfect graded" not in line:
        assert line, "it was still running"
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait(timeout=60) != 0
    run.stdout.close()
    assert scores(at)["perfect", CELL] == right["perfect", CELL] != before["perfect", CELL]
    assert not list(at.root.glob("regrades/*"))

    made = again("lab1", at.course)

    assert made.resumed and scores(at) == right
    told = {(one.student, one.cell): (one.before, one.after) for one in made.changes.changed}
    assert told == {
        key: (before[key][0], right[key][0]) for key in before if before[key][0] != right[key][0]
    }
    assert ("perfect", CELL) in told
    assert not again("lab1", at.course).resumed


def test_jobs_can_be_asked_for(at):
    ledger = Ledger(at.ledger)
    kept = ledger.file("perfect", "module-decoding").stat().st_mtime_ns
    made = again("lab1", at.course, tasks=["penalties.presence_penalty"], students=["perfect"])
    assert made.examined == 1 and not made.changes.changed and made.recorded == 0
    assert ledger.file("perfect", "module-decoding").stat().st_mtime_ns == kept
    assert again("lab1", at.course, students=["perfect"]).examined == 2
    assert again("lab1", at.course, tasks=["answers"]).examined == 0
    for tasks, students, why in (
        (["decoding.top_q"], [], "no task 'decoding.top_q'.*decoding.top_p"),
        ([], ["nobody"], "no student 'nobody'"),
    ):
        with pytest.raises(CourseError, match=why):
            again("lab1", at.course, tasks=tasks, students=students)


def test_causes_are_told_apart(at):
    """Another submission and a person's score, beside the mended check."""
    hidden_file(at, LINE)
    at.inbox.joinpath("untouched", "lab1", "penalties.py").write_bytes(
        at.inbox.joinpath("perfect", "lab1", "penalties.py").read_bytes()
    )
    state, resumed = regrade._begin(at, Nbgrader(at.root))
    assert not resumed and state["dropped"] == []
    by_hand(at, "perfect", "written-loops", 1.0)  # while the regrade is under way
    made = again("lab1", at.course)
    causes = {(one.student, one.cell): one.cause for one in made.changes.changed}
    assert causes["untouched", CELL] == changes.SUBMISSION
    assert causes["perfect", "written-loops"] == changes.PERSON
    assert causes["perfect", CELL] == changes.CHECK


def test_what_is_not_in_the_inbox_is_named(at, tmp_path):
    hidden_file(at, LINE)
    (tmp_path / "elsewhere").mkdir()
    made = again("lab1", at.course, inbox=tmp_path / "elsewhere")
    assert {(job.student, job.file) for job in made.left} == {(name, "penalties.py") for name in STUDENTS}


def test_nothing_graded_is_said(small):
    with pytest.raises(CourseError, match="Run `llmlab grade lab1` first"):
        regrade.regrade("lab1", small)


def test_the_report_holds_no_formula():
    change = changes.Change("ada", "=1+1", 1.0, 2.0, 2.0, changes.CHECK, "+cmd|' /C calc'!A0", "\x1b[2J@x")
    text = changes.Changes((change,), (), {"ada": (1.0, 2.0)}).csv()
    (row,) = csv.DictReader(text.splitlines())
    assert row["cell"] == "'=1+1" and row["why_before"].startswith("'+") and row["why_after"] == "'@x"


@pytest.fixture
def command(at):
    """Runs `llmlab regrade` on the class; gives its output."""
    app = typer.Typer()
    app.callback()(lambda: None)
    regrading_commands.register(app)

    def call(*words):
        done = CliRunner().invoke(app, ["regrade", *words, "--course", str(at.course.root)])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    return call


def test_the_command_says_what_it_would_do_and_what_changed(at, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # nothing of the table is wrapped
    hidden_file(at, LINE)
    before, files = scores(at), {file: file.stat().st_mtime_ns for file in at.ledger.rglob("*.json")}
    dry = command("lab1", "--dry-run", "--task", "answers", "--student", "perfect")
    assert "perfect  penalties.py  the check or its hidden cases changed" in dry
    assert "perfect  lab1.ipynb  asked for" in dry and "4 files would be examined again" in dry
    assert scores(at) == before
    assert {file: file.stat().st_mtime_ns for file in at.ledger.rglob("*.json")} == files
    told = command("lab1")
    flat = " ".join(told.split())
    assert "lab1: changed grades" in flat and CELL in flat and "All cases passed." in flat
    assert "3 modules examined, 2 grades changed, 2 students concerned" in flat
    assert "Report: " in flat and "0 modules examined" in command("lab1")
    with pytest.raises(Stop, match="no task 'x'"):
        command("lab1", "--task", "x")
