"""The folders that the graders work in: our course, a stock nbgrader course, and otter's files. All are made in one
temporary folder; nothing of the repository is changed.
"""

from __future__ import annotations

import copy
import json
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.grading_peers.population import Student
from llmlab.grading import answers, hidden, pipeline
from llmlab.grading.course import Course, course
from llmlab.grading.places import Desk, desk
from llmlab.grading.sample_students import grade_id

LAB = "lab1"
CHECKS = Path(__file__).with_name("stock_checks.py")

STOCK_CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "stock"
c.CourseDirectory.root = {root!r}
c.CourseDirectory.db_url = "sqlite:///" + {root!r} + "/gradebook.db"
c.Autograde.exclude_overwriting = {{"lab1": {modules!r}}}
c.IncludeHeaderFooter.header = ""
"""


def ours(root: Path) -> Desk:
    """Our course with the real lab, released, without students."""
    real = course(Path(__file__))
    (root / "assignments").mkdir(parents=True)
    for name in ("llmlab", "solutions"):
        (root / name).symlink_to(real.root / name)
    for name in ("text", "templates"):
        shutil.copytree(real.assignments / name, root / "assignments" / name)
    shutil.copy(real.assignments / "nbgrader_config.py", root / "assignments")
    (root / "assignments" / "roster.csv").write_text("id,first_name,last_name,email\n")
    made = Course(root)
    pipeline.release(LAB, made)
    return desk(LAB, made)


def hand_in(at: Desk, students: Iterable[Student]) -> None:
    """Put submissions into our inbox."""
    for one in students:
        put(at.inbox / one.name / LAB, one.files)


def put(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def stock_notebook(notebook: bytes) -> dict[str, Any]:
    """A notebook as the stock course has it: the same cells without those that only display; tests call stock_checks."""
    found = json.loads(notebook)
    kept = []
    for cell in found["cells"]:
        name = grade_id(cell)
        if cell["cell_type"] == "code" and not name:
            continue
        cell = copy.deepcopy(cell)
        if name.startswith("answer-"):
            cell["source"] = f'check_answer("{name.removeprefix("answer-")}", ANSWERS)'
        elif cell["cell_type"] == "code" and name != answers.CELL.format(lab=LAB):
            cell["source"] = f'check("{name.replace("-", ".", 1)}")'
        kept.append(cell)
    at = next(number for number, cell in enumerate(kept) if cell["cell_type"] == "code")
    kept.insert(at, {"cell_type": "code", "id": "imports", "metadata": {}, "outputs": [], "execution_count": None,
                     "source": "from stock_checks import check, check_answer"})
    found["cells"] = kept
    return found


def beside(at: Desk) -> dict[str, bytes]:
    """The files that stock checks need beside the notebook."""
    keys = answers.keys(LAB, at.course)
    told = {q.id: {"value": keys[q.id].value, "tol": keys[q.id].tol, "points": q.points} for q in answers.questions(LAB)}
    files = {f"hidden_{module}.py": hidden.source(module, at.course) for module in at.modules}
    return files | {"stock_checks.py": CHECKS.read_bytes(), "keys.json": json.dumps(told).encode()}


def stock_files(one: Student, at: Desk) -> dict[str, bytes]:
    """What a student hands in to the stock course."""
    return one.files | {at.notebook: json.dumps(stock_notebook(one.files[at.notebook])).encode()}


def stock(root: Path, at: Desk) -> None:
    """A stock nbgrader course with the same lab, not released: the grader does that."""
    config = STOCK_CONFIG.format(root=str(root), modules=[f"{module}.py" for module in at.modules])
    notebook = stock_notebook(at.master.read_bytes())
    for cell in notebook["cells"]:
        if grade_id(cell) == answers.CELL.format(lab=LAB):
            text = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
            cell["source"] = text + "\n### BEGIN SOLUTION\n### END SOLUTION\n"
    put(root, {"nbgrader_config.py": config.encode()})
    put(root / "source" / LAB, {at.notebook: json.dumps(notebook).encode()} | beside(at))


def hand_in_stock(root: Path, at: Desk, students: Iterable[Student]) -> None:
    for one in students:
        put(root / "submitted" / one.name / LAB, stock_files(one, at))


def hand_in_otter(root: Path, at: Desk, students: Iterable[Student]) -> None:
    """Zips for otter, whose tests import the same stock checks."""
    put(root, beside(at))
    for task in at.tasks:
        cases = "".join(OTTER_GROUP.format(task=task.id, group=group, points=points, number=number)
                        for number, (group, points) in enumerate(task.groups.items()))
        put(root / "tests", {f"{task.id.replace('.', '_')}.py": (OTTER_HEAD.format(name=task.id) + cases).encode()})
    for question in answers.questions(LAB):
        test = OTTER_HEAD.format(name=f"answer-{question.id}") + OTTER_ANSWER.format(name=question.id, points=question.points)
        put(root / "tests", {f"answer_{question.id.replace('-', '_')}.py": test.encode()})
    (root / "submissions").mkdir(parents=True)
    for one in students:
        notebook = stock_notebook(one.files[at.notebook])
        notebook["cells"] = [cell for cell in notebook["cells"]
                             if cell["cell_type"] != "code" or grade_id(cell) == answers.CELL.format(lab=LAB)]
        files = one.files | {at.notebook: json.dumps(notebook).encode()}
        with zipfile.ZipFile(root / "submissions" / f"{one.name}.zip", "w") as packed:
            for name, content in files.items():
                packed.writestr(name, content)


OTTER_HEAD = """from otter.test_files import test_case

OK_FORMAT = False
name = "{name}"
"""
OTTER_GROUP = """

@test_case(points={points})
def test_{number}():
    from stock_checks import groups

    assert groups("{task}")["{group}"]
"""
OTTER_ANSWER = """

@test_case(points={points})
def test_0(env):
    from stock_checks import check_answer

    assert check_answer("{name}", env["ANSWERS"])
"""
