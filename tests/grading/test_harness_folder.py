"""`run_autograder` run as Gradescope runs it, in a folder of the test's own: every submission leaves a valid
results.json.

`test_exports.SPEC` is the judge of validity. The course is the real one: its tasks, its hidden cases.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import pytest

from llmlab.checks import registry
from llmlab.grading import harness_folder, scaffold, variants
from llmlab.grading.course import Course, CourseError, course
from llmlab.grading.places import Desk
from llmlab.grading.sample_students import unmarked
from tests.grading import lab_text
from tests.grading.test_exports import SPEC

MODULES = ("decoding", "penalties")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(folder, course): the harness folder of the real lab, with made-up keys and a stand-in for the
    wheel."""
    real = course(Path(__file__))
    root = tmp_path_factory.mktemp("harness") / "repository"
    where = Course(root)
    (where.assignments / "text").mkdir(parents=True)
    for part in Desk(real, "lab1").texts:
        shutil.copy(part, where.assignments / "text")
    shutil.copy(real.assignments / "nbgrader_config.py", where.assignments)
    shutil.copytree(real.assignments / "templates", where.assignments / "templates")
    shutil.copytree(real.solutions, where.solutions)
    (where.solutions / "hidden" / "lab1_answers.py").write_text(lab_text.KEYS)
    (where.assignments / "roster.csv").write_text("id,email\nada,ada@example.org\n")
    (root / "constraints.txt").write_text("torch==2.13.0\n")
    wheel = root / "llmlab-0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    tasks = lab_text.Desk.tasks
    lab_text.Desk.tasks = property(lambda desk: [task for task in registry.tasks() if task.lab == desk.lab])
    try:
        yield harness_folder.make("lab1", where, out=str(root / "out"), wheel=wheel), where
    finally:
        lab_text.Desk.tasks = tasks


@pytest.fixture
def autograder(built, tmp_path):
    """run({name: bytes}, **environment) -> results.json, as a container would."""

    def run(files, before=None, **environment):
        root = tmp_path / "autograder"
        shutil.copytree(built[0], root / "source")
        (root / "submission").mkdir()
        for name, content in files.items():
            (root / "submission" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "submission" / name).write_bytes(content)
        if before:
            before(root)
        told = os.environ | {"LLMLAB_AUTOGRADER": str(root), "LLMLAB_PYTHON": sys.executable} | environment
        command = [root / "source" / "run_autograder"]
        done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stderr
        found = json.loads((root / "results" / "results.json").read_bytes())
        jsonschema.Draft202012Validator(SPEC).validate(found)
        return found

    return run


def solved() -> dict[str, bytes]:
    return {f"{module}.py": unmarked(variants.solution(module)) for module in MODULES}


def by_task(document) -> dict[str, tuple[float, float]]:
    return {test["extra_data"]["grade_id"]: (test["score"], test["max_score"]) for test in document["tests"]}


def test_the_solution_gets_every_point_and_cannot_read_the_hidden_cases(autograder, built, tmp_path):
    """This one would lose points by reading: each file that opens takes a function away."""
    source = tmp_path / "autograder" / "source" / "course"
    wanted = [source / "solutions" / "hidden" / "decoding.py", source / "assignments" / "gradebook.db"]
    thief = f"""
for path, name in zip({[str(path) for path in wanted]}, ("greedy", "top_k")):
    try:
        open(path, "rb").read(1)
    except OSError:
        continue
    del globals()[name]
"""
    notebook = (built[0] / "course" / "assignments" / "release" / "lab1" / "lab1.ipynb").read_bytes()
    files = solved() | {"lab1.ipynb": notebook}
    found = autograder(files | {"decoding.py": files["decoding.py"] + thief.encode()})
    assert all(path.is_file() for path in wanted)
    points = by_task(found)
    tasks = [task for task in registry.tasks() if task.lab == "lab1"]
    assert {task.id.replace(".", "-") for task in tasks} <= set(points)
    for task in tasks:
        assert points[task.id.replace(".", "-")] == (task.points, task.points), task.id
    assert found["score"] == sum(task.points for task in tasks)


def test_the_scaffold_gets_nothing_and_is_told_what_to_write(autograder):
    given = scaffold.scaffolds(course(Path(__file__)))
    found = autograder({f"inside/{module}.py": given[module].encode() for module in MODULES})
    assert found["score"] == 0 and len(found["tests"]) >= 16
    assert {test["score"] for test in found["tests"]} == {0.0}


def test_a_syntax_error_costs_its_module_and_names_the_line(autograder):
    found = autograder(solved() | {"decoding.py": b"def top_p(logits, p:\n    return logits\n"})
    points = by_task(found)
    assert {score for name, (score, _) in points.items() if name.startswith("decoding-")} == {0.0}
    assert all(score == most for name, (score, most) in points.items() if name.startswith("penalties-"))
    told = next(test for test in found["tests"] if test["extra_data"]["grade_id"] == "decoding-top_p")
    assert "SyntaxError" in told["output"] and told["status"] == "failed"


def test_links_and_an_empty_submission_give_nothing(autograder):
    def links(root):
        (root / "submission" / "decoding.py").symlink_to(variants.course().solutions / "decoding.py")
        (root / "submission" / "lab1.ipynb").symlink_to("/etc/passwd")
        os.mkfifo(root / "submission" / "penalties.py")

    found = autograder({}, before=links)
    assert found["score"] == 0 and "root:" not in json.dumps(found)


def test_a_grader_that_cannot_start_leaves_a_valid_result(autograder):
    found = autograder(solved(), LLMLAB_PYTHON="/no/such/python")
    assert found["score"] == 0 and "Not graded" in found["output"] and "not your mistake" in found["output"]


def test_a_broken_course_leaves_a_valid_result_with_the_reason(autograder):
    def break_it(root):
        shutil.rmtree(root / "source" / "course" / "assignments" / "release")

    found = autograder(solved(), before=break_it)
    assert found["score"] == 0 and "Not graded: lab1 is not released" in found["output"]


def test_the_folder_holds_what_grading_needs_and_nothing_more(built):
    folder, _ = built
    inside = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"setup.sh", "run_autograder", "constraints.txt", "not-graded.json"} <= inside
    solutions = {name for name in inside if name.startswith("course/solutions/")}
    assert solutions == {f"course/solutions/hidden/{name}.py" for name in (*MODULES, "lab1_answers")}
    assert not [name for name in inside if "roster" in name or "inbox" in name or "submitted" in name]
    everything = b"".join((folder / name).read_bytes() for name in inside)
    assert b"ada@example.org" not in everything
    with zipfile.ZipFile(f"{folder}.zip") as archive:
        assert set(archive.namelist()) == inside
        for script in ("setup.sh", "run_autograder"):
            assert archive.getinfo(script).external_attr >> 16 & 0o777 == 0o755
            subprocess.run(["bash", "-n", folder / script], check=True)
    setup = (folder / "setup.sh").read_text()
    assert '-c "$SOURCE/constraints.txt" "$SOURCE/llmlab-0-py3-none-any.whl[grading]"' in setup
    assert "chmod -R u=rwX,go=" in setup


def test_it_says_why_it_cannot_be_made(built, tmp_path):
    folder, where = built
    with pytest.raises(CourseError, match="no harness for 'moodle'. There is: gradescope"):
        harness_folder.make("lab1", where, "moodle")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not touch")
    with pytest.raises(CourseError, match="no harness folder of ours"):
        harness_folder.make("lab1", where, out=str(tmp_path / "mine"))
    (where.root / "constraints.txt").rename(where.root / "kept")
    try:
        with pytest.raises(CourseError, match="nothing would be pinned"):
            harness_folder.make("lab1", where)
    finally:
        (where.root / "kept").rename(where.root / "constraints.txt")
    assert folder.is_dir()
