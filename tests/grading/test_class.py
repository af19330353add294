"""The sample class, graded once: everybody ends with a result and a reason, and nbgrader goes on working
on it.
"""

import csv
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from bs4 import BeautifulSoup
from nbgrader.api import MissingEntry
from rich.console import Console

from llmlab.grading import answers, pipeline, sample_class
from llmlab.grading.course import CourseError
from llmlab.grading.ledger import Ledger
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.sample_students import Maker
from tests.grading.lab_text import WRITTEN


@pytest.fixture(scope="module")
def made(graded):
    """Student -> what was handed in."""
    return {one.student: one for one in Maker(graded[0], sample_class.SEED).all()}


@pytest.fixture(scope="module")
def scores(graded):
    """Student -> grade_id -> points in nbgrader's gradebook."""
    found = {}
    with Nbgrader(graded[0].root).gradebook() as gradebook:
        for one in gradebook.assignment_submissions("lab1"):
            found[one.student.id] = {
                grade.name: grade.score for book in one.notebooks for grade in book.grades
            }
    return found


def points(at, scores, module):
    """Points earned in a module, and the points there are."""
    tasks = [task for task in at.tasks if task.module == module]
    return sum(scores[task.id.replace(".", "-")] for task in tasks), sum(task.points for task in tasks)


def test_everybody_has_a_result_and_a_reason(graded, made):
    summary = graded[1]
    rows = {row.student: row for row in summary.rows}
    assert len(made) >= 12 and set(made) <= set(rows)
    assert set(rows) - set(made) == {"absent-01", "absent-02"}
    for row in summary.rows:
        assert row.reason and 0 <= row.points <= row.max_points > 0, row
        assert row.status in ("graded", "needs manual", "timeout", "crashed", "unreadable", "missing"), row
    assert summary.recorded == len(made)
    assert rows["absent-01"].status == "missing" and rows["absent-01"].reason == "nothing was handed in"


def test_statuses_say_what_happened(graded):
    rows = {row.student: row for row in graded[1].rows}
    assert rows["endless-loop"].status == "timeout"
    assert rows["process-exit"].status == "crashed"
    assert rows["syntax-error"].status == "unreadable" and "SyntaxError" in rows["syntax-error"].reason
    assert (
        rows["module-missing"].status == "missing"
        and "penalties.py was not handed in" in rows["module-missing"].reason
    )
    assert (
        rows["notebook-unreadable"].status == "unreadable"
        and "not JSON" in rows["notebook-unreadable"].reason
    )
    assert "was deleted and has been put back" in rows["cells-deleted"].reason
    assert rows["perfect"].status == "needs manual" and rows["perfect"].to_read == len(WRITTEN)


@pytest.mark.parametrize("student", ["perfect", "warnings-on-stderr", "cells-deleted", "notebook-unreadable"])
def test_right_modules_get_every_point(graded, scores, student):
    """Also with warnings on stderr, deleted test cells, and a notebook that cannot be read."""
    for module in graded[0].modules:
        earned, most = points(graded[0], scores[student], module)
        assert earned == most > 0


def test_the_perfect_student_has_every_number(graded, scores):
    for question in answers.questions("lab1"):
        assert scores["perfect"][f"answer-{question.id}"] == question.points


def test_the_untouched_get_nothing(graded, scores):
    assert set(scores["untouched"].values()) == {0.0}


def test_a_broken_module_costs_that_module_only(graded, scores):
    at = graded[0]
    first, last = at.modules[0], at.modules[-1]
    assert points(at, scores["syntax-error"], first)[0] == 0
    assert len(set(points(at, scores["syntax-error"], last))) == 1
    assert points(at, scores["module-missing"], last)[0] == 0
    assert len(set(points(at, scores["module-missing"], first))) == 1


@pytest.mark.parametrize("student", ["endless-loop", "process-exit"])
def test_a_loop_or_an_exit_costs_that_function_only(graded, scores, student):
    at = graded[0]
    lost = [task for task in at.tasks if scores[student][task.id.replace(".", "-")] < task.points]
    verdicts = Ledger(at.ledger).read(student, "verdicts")["cells"]
    assert [scores[student][task.id.replace(".", "-")] for task in lost] == [0]
    assert (
        verdicts[lost[0].id.replace(".", "-")]["status"]
        == {"endless-loop": "timeout", "process-exit": "crashed"}[student]
    )


def test_a_mutant_loses_points_on_its_task_and_is_told_why(graded, made, scores):
    at = graded[0]
    mistaken = [one for one in made.values() if one.mutants]
    assert len({one.says for each in mistaken for one in each.mutants}) >= 6
    for one in mistaken:
        touched = {mutant.task: mutant for mutant in one.mutants}
        page = (at.feedback(one.student) / "lab1.html").read_text(encoding="utf-8")
        verdicts = Ledger(at.ledger).read(one.student, "verdicts")["cells"]
        for task in at.tasks:
            cell = task.id.replace(".", "-")
            if task.id not in touched:
                assert scores[one.student][cell] == task.points, (one.student, task.id)
                continue
            assert scores[one.student][cell] < task.points
            told = [
                group
                for group in verdicts[cell]["groups"]
                if group.get("misconception") == touched[task.id].says
            ]
            assert told, (one.student, touched[task.id].name)
            assert scores[one.student][cell] == sum(
                task.groups[group["name"]]
                for group in verdicts[cell]["groups"]
                if group["passed"] == group["cases"]
            )
            seen = " ".join(BeautifulSoup(page, "html.parser").get_text(" ").split())
            assert " ".join(told[0]["message"].split()) in seen


def test_half_done_gets_the_first_half(graded, scores):
    for module in graded[0].modules:
        tasks = [task for task in graded[0].tasks if task.module == module]
        for number, task in enumerate(tasks):
            expected = task.points if number < len(tasks) // 2 else 0
            assert scores["half-done"][task.id.replace(".", "-")] == expected


def test_written_answers_not_given_get_0_and_no_response(graded):
    """Untouched and deleted ones; a given one waits for a person."""
    with Nbgrader(graded[0].root).gradebook() as gradebook:
        for student, name in (("untouched", "written-loops"), ("cells-deleted", "written-loops")):
            grade = gradebook.find_grade(name, "lab1", "lab1", student)
            assert grade.auto_score == 0 and not grade.needs_manual_grade
            assert gradebook.find_comment(name, "lab1", "lab1", student).comment == "No response."
        assert gradebook.find_grade("written-choice", "lab1", "lab1", "cells-deleted").needs_manual_grade


def test_the_csv_has_a_row_for_everybody_in_the_roster(graded):
    at, summary = graded
    with (at.root / "grades.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["student_id"]: row for row in csv.DictReader(stream)}
    with at.roster.open(encoding="utf-8", newline="") as stream:
        assert {row["id"] for row in csv.DictReader(stream)} == set(rows)
    for row in summary.rows:
        assert rows[row.student]["status"] == row.status and float(rows[row.student]["score"]) == row.points
    assert rows["absent-02"]["status"] == "missing" and rows["absent-02"]["last_name"]


def test_feedback_runs_no_script_and_gives_no_hidden_case_away(graded, made):
    at = graded[0]
    hidden = [
        line.strip()
        for file in (at.course.solutions / "hidden").glob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if len(line.strip()) > 30
    ]
    assert len(hidden) > 10
    for student in made:
        page = (at.feedback(student) / "lab1.html").read_text(encoding="utf-8")
        assert "<script" not in page and "default-src 'none'" in page
        assert not [line for line in hidden if line in page]
        assert not re.search(r"""(src|href)=["'](?!#|data:image|\.\./)""", page), (
            "nothing is loaded from elsewhere"
        )


def test_grading_again_changes_nothing(graded):
    at, before = graded
    files = {
        path: path.stat().st_mtime_ns
        for name in ("ledger", "submitted", "autograded", "feedback", "release")
        for path in (at.root / name).rglob("*")
        if path.is_file()
    }
    again = sample_class.run(at.course, console=Console(quiet=True))
    assert (again.examined, again.recorded) == (0, 0)
    assert again.rows == before.rows
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_a_manual_grade_survives_a_new_submission(graded, tmp_path):
    """The module changes; the person's points for the written answer stay, and are asked for again."""
    at = graded[0]
    nbgrader = Nbgrader(at.root)
    with nbgrader.gradebook() as gradebook:
        grade = gradebook.find_grade("written-loops", "lab1", "lab1", "perfect")
        grade.manual_score, grade.needs_manual_grade = 2.5, False
        gradebook.db.commit()
    module = at.inbox / "perfect" / "lab1" / "penalties.py"
    source = module.read_bytes()
    try:
        module.write_bytes(source + b"\n# one more line\n")
        summary = pipeline.grade("lab1", at.course, display=False)
        assert (summary.examined, summary.recorded) == (1, 1)
        with nbgrader.gradebook() as gradebook:
            grade = gradebook.find_grade("written-loops", "lab1", "lab1", "perfect")
            assert grade.manual_score == 2.5 and grade.needs_manual_grade
    finally:
        module.write_bytes(source)
        pipeline.grade("lab1", at.course, display=False)


def nbgrader(at, *words):
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *words],
        cwd=at.root,
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"HOME": str(at.root), "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stderr[-2_000:]


def test_nbgraders_own_commands_work_after_intake(graded, scores):
    """generate_assignment, autograde, generate_feedback and export, as somebody would type them in
    assignments/.
    """
    at = graded[0]
    page = at.feedback("mistake-01") / "lab1.html"
    before = page.read_bytes()
    nbgrader(at, "generate_assignment", "lab1", "--force")
    nbgrader(at, "autograde", "lab1", "--student", "mistake-01", "--force")
    nbgrader(at, "generate_feedback", "lab1", "--student", "mistake-01", "--force")
    nbgrader(at, "export", "--to", "exported.csv")
    assert page.read_bytes() == before
    with (at.root / "exported.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["student_id"]: row for row in csv.DictReader(stream)}
    assert float(rows["mistake-01"]["score"]) == sum(scores["mistake-01"].values())
    assert float(rows["absent-01"]["score"]) == 0


def test_a_submission_that_bypassed_the_intake_gets_0_and_says_why(graded):
    at = graded[0]
    nbgrader_api, folder = Nbgrader(at.root), at.submitted("smuggled")
    folder.mkdir(parents=True)
    notebook = json.loads(at.master.read_bytes())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [
                {
                    "output_type": "execute_result",
                    "execution_count": 1,
                    "metadata": {},
                    "data": {"text/plain": "4"},
                }
            ]
    (folder / "lab1.ipynb").write_text(json.dumps(notebook))
    try:
        nbgrader_api.autograde("lab1", "smuggled")
        with nbgrader_api.gradebook() as gradebook:
            assert gradebook.find_submission("lab1", "smuggled").score == 0
        assert "not graded by intake" in (at.autograded("smuggled") / "lab1.ipynb").read_text()
    finally:
        with nbgrader_api.gradebook() as gradebook:
            gradebook.remove_student("smuggled")
            with pytest.raises(MissingEntry):
                gradebook.find_student("smuggled")


def test_a_real_class_is_not_touched_by_the_sample(released):
    (released.inbox / "ada" / "lab1").mkdir(parents=True)
    with pytest.raises(CourseError, match="not the sample's"):
        sample_class.run(released.course, console=Console(quiet=True))
    assert [path.name for path in released.inbox.iterdir()] == ["ada"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_formgrader_opens_on_the_gradebook(graded):
    """A Jupyter server on loopback: the list of assignments, the class's scores, and one student's page."""
    at = graded[0]
    base = f"http://127.0.0.1:{(port := free_port())}"
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyter",
            "server",
            "--no-browser",
            f"--port={port}",
            "--port-retries=0",
            "--ip=127.0.0.1",
            "--ServerApp.token=",
            "--ServerApp.password=",
            "--allow-root",
            "--ServerApp.open_browser=False",
            "--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}",
        ],
        cwd=at.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ
        | {"HOME": str(at.root), "JUPYTER_CONFIG_DIR": str(at.root / ".jupyter"), "PYTHONWARNINGS": "ignore"},
    )

    def read(path: str) -> str:
        for _ in range(300):
            try:
                with urllib.request.urlopen(base + path, timeout=30) as answer:
                    return answer.read().decode()
            except (urllib.error.URLError, ConnectionError) as error:
                if isinstance(error, urllib.error.HTTPError) or server.poll() is not None:
                    raise
                time.sleep(0.2)
        raise TimeoutError(f"no answer from {base}{path}")

    try:
        assert "formgrader" in read("/formgrader/manage_assignments")
        assert {one["id"] for one in json.loads(read("/formgrader/api/students"))} >= {
            "perfect",
            "mistake-01",
            "absent-01",
        }
        notebooks = json.loads(read("/formgrader/api/submitted_notebooks/lab1/lab1"))
        mine = next(one for one in notebooks if one["student"] == "mistake-01")
        page = read(f"/formgrader/submissions/{mine['id']}/")
        assert "llmlab-verdict" in page and "decoding-top_p" in page and 'class="score' in page
    finally:
        server.terminate()
        server.communicate(timeout=30)
