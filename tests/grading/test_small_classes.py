"""The sample classes of the later labs, on the labs as they are: every grade is the one that the tasks' points predict.

Examined and not recorded: what nbgrader makes of verdicts is the same for every lab, and is tested in test_class.py.
"""

from __future__ import annotations

import ast
import csv
import json
import shutil

import pytest

from llmlab.grading import answers, pipeline, sample_class
from llmlab.grading.course import Course, course
from llmlab.grading.ledger import Ledger
from llmlab.grading.places import desk, written
from llmlab.grading.sample_students import Maker, plan

LABS = [lab for lab in written(course()) if lab != "lab1"]


@pytest.fixture(scope="module", autouse=True)
def few_tasks():
    """Here the labs are whole."""


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    """The course with an assignments folder of its own."""
    real, root = course(), tmp_path_factory.mktemp("course")
    (root / "assignments").mkdir()
    for name in ("llmlab", "solutions"):
        (root / name).symlink_to(real.root / name)
    for name in ("text", "templates"):
        (root / "assignments" / name).symlink_to(real.assignments / name)
    for name in ("nbgrader_config.py", "roster.csv"):
        shutil.copy(real.assignments / name, root / "assignments" / name)
    return Course(root)


@pytest.fixture(scope="module", params=LABS)
def lab(request, where):
    """(desk, student -> submission, student -> verdicts)."""
    pipeline.release(request.param, where)
    at = desk(request.param, where)
    made = {one.student: one for one in Maker(at, sample_class.SEED).all()}
    sample_class.hand_in(at, list(made.values()))
    pipeline.grade(at.lab, where, display=False, record=False, unprotected=True)
    ledger = Ledger(at.ledger)
    return at, made, {student: ledger.read(student, "verdicts") for student in made}


def users(source: bytes, broken: set[str]) -> set[str]:
    """The names of a module that use one of these, directly or through others; these included. Objects of a class come as
    arguments too, so with a class every name may be one.
    """
    inside = {node.name: {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} | {
        one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
        for node in ast.parse(source).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    classes = {node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
    found = set(inside) if classes & broken else set(broken)
    while more := {name for name, used in inside.items() if used & found} - found:
        found |= more
    return found


def earned(verdicts, task) -> float:
    return verdicts["cells"][task.id.replace(".", "-")]["points"]


def test_the_class_has_its_students(lab):
    at, made, verdicts = lab
    assert len(made) == len(plan(at.lab).recipes) + plan(at.lab).mistakes >= 8 and all(verdicts.values())
    assert {row["status"] for row in verdicts.values()} >= {"graded", "missing"}


def test_everything_right_is_every_point_and_nothing_done_is_none(lab):
    at, _, verdicts = lab
    cells = {task.id.replace(".", "-"): task.points for task in at.tasks}
    cells |= {f"answer-{question.id}": question.points for question in answers.questions(at.lab)}
    assert {name: cell["points"] for name, cell in verdicts["perfect"]["cells"].items()} == cells
    assert {name: cell["points"] for name, cell in verdicts["untouched"]["cells"].items()} == dict.fromkeys(cells, 0)


def test_a_missing_module_costs_its_points_only(lab):
    at, _, verdicts = lab
    for task in at.tasks:
        assert earned(verdicts["module-missing"], task) == (0 if task.module == at.modules[-1] else task.points)


def test_half_done_gets_what_does_not_need_the_other_half(lab):
    at, made, verdicts = lab
    for module in at.modules:
        tasks = [task for task in at.tasks if task.module == module]
        undone = {task.function for task in tasks[len(tasks) // 2:]}
        lost = users(made["perfect"].files[f"{module}.py"], undone)
        for task in tasks:
            if task.function in undone:
                assert earned(verdicts["half-done"], task) == 0
            elif task.function not in lost:
                assert earned(verdicts["half-done"], task) == task.points


def test_a_mutant_loses_points_on_its_task_by_name_and_on_none_that_does_not_use_it(lab):
    at, made, verdicts = lab
    mistaken = [one for one in made.values() if one.mutants]
    assert len({mutant.name for one in mistaken for mutant in one.mutants}) >= 4
    for one in mistaken:
        mutants = {mutant.task: mutant for mutant in one.mutants}
        for task in at.tasks:
            broken = {each.task.partition(".")[2] for each in one.mutants if each.module == task.module}
            if task.id in mutants:
                cell = verdicts[one.student]["cells"][task.id.replace(".", "-")]
                said = {group.get("misconception") for group in cell["groups"]}
                assert cell["points"] < task.points, one.student
                assert mutants[task.id].says in said, (one.student, mutants[task.id].name)
                assert cell["points"] == sum(task.groups[group["name"]] for group in cell["groups"]
                                             if group["passed"] == group["cases"])
            elif task.function not in users(made["perfect"].files[f"{task.module}.py"], broken):
                assert earned(verdicts[one.student], task) == task.points, (one.student, task.id)


def test_an_exit_costs_one_task(lab):
    at, _, verdicts = lab
    if "process-exit" in verdicts:
        lost = [task for task in at.tasks if earned(verdicts["process-exit"], task) < task.points]
        assert [earned(verdicts["process-exit"], task) for task in lost] == [0]
        assert verdicts["process-exit"]["status"] == "crashed"


def test_a_number_within_the_tolerance_gets_its_points(lab):
    at, made, verdicts = lab
    keys = answers.keys(at.lab, at.course)
    for student, one in made.items():
        cells = json.loads(one.files[at.notebook])["cells"]
        given = answers.read(next("".join(cell["source"]) for cell in cells if cell.get("id") == f"{at.lab}-answers"))
        for question in answers.questions(at.lab):
            value, key = given[question.id], keys[question.id]
            right = value is not None and abs(value - key.value) <= key.tol
            assert verdicts[student]["cells"][f"answer-{question.id}"]["points"] == (question.points if right else 0)


def test_a_later_lab_goes_into_the_same_gradebook_and_its_absent_take_one_line(where, capsys):
    """The command on one lab, to the end: its pages, its grades, and a table of those who handed in."""
    lab = LABS[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where.root)
        assert sample_class.main([lab]) == 0
    told = capsys.readouterr().out
    at = desk(lab, where)
    students = {one.student for one in Maker(at, sample_class.SEED).all()}
    with (at.root / "exports" / lab / "grades.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["student_id"]: row for row in csv.DictReader(stream)}
    absent = [name for name, row in rows.items() if row["reason"] == "nothing was handed in"]
    assert set(rows) - set(absent) == students
    assert f"{len(absent)} others of the class list handed in nothing for {lab}" in told
    assert all((at.feedback(student) / f"{lab}.html").is_file() for student in students)
    ledger = Ledger(at.ledger)
    for student in students:
        assert float(rows[student]["score"]) == sum(
            cell["points"] for cell in ledger.read(student, "verdicts")["cells"].values())
    with (at.root / "gradebook.csv").open(encoding="utf-8", newline="") as stream:
        assert lab in {row["assignment"] for row in csv.DictReader(stream)}
