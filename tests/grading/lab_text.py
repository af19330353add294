"""A small course to grade: a few tasks of each module, a generated text of the lab, everything in a folder of
the test's own.

The grader, the checks, the solutions and the mutants are the real ones.
"""

from __future__ import annotations

import atexit
import dataclasses
import functools
import shutil
import tempfile
from pathlib import Path

from llmlab.checks import registry
from llmlab.grading import answers, hidden, pipeline
from llmlab.grading.course import Course, course
from llmlab.grading.places import Desk

TASKS = (
    "decoding.greedy",
    "decoding.top_p",
    "decoding.min_p",
    "penalties.presence_penalty",
    "penalties.length_penalty",
)
WRITTEN = {"written-loops": 3.0, "written-choice": 4.0}
PATIENCE = 3.0
"""Seconds for a case: far above what these tasks need, and short enough to wait for an endless loop."""


KEYS = """
from llmlab.checks.answers import QUESTIONS
from llmlab.grading.answers import Key


def answers():
    return {q.id: Key(5.0 if q.whole else 0.25, 1e-3, {"by-hand": (3.0 if q.whole else 0.75, "By hand.")})
            for q in QUESTIONS if q.lab == "lab1"}
"""
"""Made-up keys: computing the real ones takes longer than these tests may; tests/lab holds them against
other code.
"""


def restrict() -> None:
    """Make lab 1 consist of TASKS, in this process. Used by fixtures and by processes that tests start."""
    everything = hidden.made

    def patient(module: str, text: bytes):
        return [
            dataclasses.replace(case, seconds=min(case.seconds, PATIENCE)) for case in everything(module, text)
        ]

    Desk.tasks = property(
        lambda desk: [task for task in registry.tasks() if task.id in TASKS and task.lab == desk.lab]
    )
    hidden.made = patient


def text(lab: str = "lab1") -> str:
    """The lab as jupytext py:percent, with a test cell for each task and question."""
    cells = ["# %% [markdown]\n# # A lab\n# Fill in the modules, then run the checks.", "# %%\nimport llmlab"]
    for task in registry.tasks():
        if task.id in TASKS:
            cells.append(locked(task.id.replace(".", "-"), task.points, f'llmlab.check("{task.id}")'))
    asked = answers.questions(lab)
    empty = "\n".join(f'    "{question.id}": None,' for question in asked)
    cells.append(
        f'# %% nbgrader={{"grade": false, "grade_id": "{lab}-answers", "locked": false, "solution": true}}\n'
        f"ANSWERS = {{\n{empty}\n}}"
    )
    cells += [
        locked(f"answer-{question.id}", question.points, f'llmlab.check_answer("{question.id}", ANSWERS)')
        for question in asked
    ]
    for name, points in WRITTEN.items():
        cells.append(
            f'# %% [markdown] nbgrader={{"grade": true, "grade_id": "{name}", "points": {points}, '
            '"solution": true, "locked": false}\n# Write your answer here.'
        )
    return "\n\n".join(cells) + "\n"


def locked(name: str, points: float, source: str) -> str:
    """A locked cell worth points."""
    told = f'{{"grade": true, "grade_id": "{name}", "points": {points}, "solution": false}}'
    return f"# %% nbgrader={told}\n{source}"


def small_course(root: Path) -> Course:
    """A course repository in `root`: own assignments, everything else the real one."""
    real = course(Path(__file__))
    (root / "assignments" / "text").mkdir(parents=True)
    (root / "llmlab").symlink_to(real.package)
    (root / "solutions" / "hidden").mkdir(parents=True)
    for path in [*real.solutions.iterdir(), *(real.solutions / "hidden").iterdir()]:
        if path.name not in ("hidden", "lab1_answers.py"):
            (root / "solutions" / path.relative_to(real.solutions)).symlink_to(path)
    (root / "solutions" / "hidden" / "lab1_answers.py").write_text(KEYS)
    for name in ("nbgrader_config.py", "roster.csv"):
        shutil.copy(real.assignments / name, root / "assignments" / name)
    shutil.copytree(real.assignments / "templates", root / "assignments" / "templates")
    (root / "assignments" / "text" / "lab1.py").write_text(text(), encoding="utf-8")
    return Course(root)


def released_course(root: Path) -> Course:
    """A small course with its lab released: a copy of one that is made once in this process, which takes seconds."""
    shutil.copytree(_released(), root, symlinks=True, dirs_exist_ok=True)
    return Course(root)


@functools.cache
def _released() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="released-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    where = small_course(folder / "course")
    pipeline.release("lab1", where)
    return where.root
