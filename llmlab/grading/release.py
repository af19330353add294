"""Releases a lab: the text an author wrote becomes the notebook and the files that students get.

    assignments/text/lab1.py  --jupytext-->  source/lab1/lab1.ipynb  --nbgrader-->  release/lab1/lab1.ipynb
                                                      solutions/*.py  ----->  release/lab1/*.py

A long text goes on in `lab1_2.py`, `lab1_3.py`: its cells follow.
There is no `.py` in `source/`: nbgrader would not strip the solutions from it, and would put it over a
student's work. The same text always gives the same bytes; a release that is up to date is left alone.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from llmlab.grading import answers, scaffold
from llmlab.grading.course import Course, CourseError
from llmlab.grading.ledger import digest, write_atomic
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import Desk, desk

WORKSPACE = """# The folder of a student's work on {lab}: llmlab takes the lab's modules from here.
[workspace]
code = "."
"""
DEFAULTS = {"grade": False, "solution": False, "task": False, "schema_version": 3}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "name": "python",
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "pygments_lexer": "ipython3",
}


def release(lab: str, course: Course) -> Path:
    """Make `assignments/release/<lab>` and enter the lab in the gradebook. Returns the folder.

    Raises CourseError if the text, its cells or their points do not fit the lab's tasks and questions.
    """
    at = desk(lab, course)
    notebook = source_notebook(at)
    content = nbformat.writes(notebook).encode() + b"\n"
    made = scaffold.scaffolds(course, at.modules)
    files = {f"{module}.py": made[module] for module in at.modules} | {
        "llmlab.toml": WORKSPACE.format(lab=lab)
    }
    key = digest(content, *[part for item in sorted(files.items()) for part in item])
    nbgrader = Nbgrader(at.root)
    stamp = at.root / "ledger" / f"{lab}-release.json"
    if _stamped(stamp) == key and nbgrader.has_assignment(lab) and _complete(at, files, content):
        return at.release
    if at.source.is_dir():
        shutil.rmtree(at.source)
    write_atomic(at.source / at.notebook, content)
    nbgrader.generate_assignment(lab)
    for name, text in files.items():
        write_atomic(at.release / name, text.encode())
    write_atomic(stamp, json.dumps({"key": key}).encode())
    return at.release


def _stamped(stamp: Path) -> str:
    try:
        return json.loads(stamp.read_bytes())["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _complete(at: Desk, files: dict[str, str], content: bytes) -> bool:
    """True if the release folder holds what the stamp says."""
    return (
        at.master.is_file()
        and (at.source / at.notebook).is_file()
        and (at.source / at.notebook).read_bytes() == content
        and all(
            (at.release / name).is_file() and (at.release / name).read_text() == text
            for name, text in files.items()
        )
    )


def source_notebook(at: Desk) -> NotebookNode:
    """The lab's text as a notebook: stable cell ids, complete metadata, checked against the tasks."""
    if not at.text.is_file():
        raise CourseError(f"There is no text of {at.lab}: write {at.text} (jupytext, py:percent).")
    cells = []
    for part in at.texts:
        try:
            cells += jupytext.read(part, fmt="py:percent").cells
        except (ValueError, SyntaxError, jupytext.formats.JupytextFormatError) as error:
            raise CourseError(f"{part} cannot be read as py:percent: {error}") from None
    made = nbformat.v4.new_notebook(metadata={"kernelspec": KERNEL, "language_info": LANGUAGE})
    used: dict[str, int] = {}
    for cell in cells:
        if not cell.source.strip():
            continue
        kind = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}.get(
            cell.cell_type
        )
        if kind is None:
            raise CourseError(f"{at.text}: a {cell.cell_type} cell; use code and markdown cells only.")
        fresh = kind(cell.source)
        if "nbgrader" in cell.metadata:
            told = DEFAULTS | dict(cell.metadata["nbgrader"])
            told.setdefault("locked", not told["solution"])
            told["cell_type"] = cell.cell_type
            fresh.metadata["nbgrader"] = told
        if cell.metadata.get("tags"):
            fresh.metadata["tags"] = list(cell.metadata["tags"])
        fresh["id"] = _cell_id(fresh, used)
        made.cells.append(fresh)
    lint(at, made)
    return made


def _cell_id(cell: NotebookNode, used: dict[str, int]) -> str:
    """The grade id, or a hash of the text: the same from release to release, whatever is put in before it."""
    told = cell.metadata.get("nbgrader", {}).get("grade_id")
    base = (
        re.sub(r"[^A-Za-z0-9_-]", "-", told)[:60]
        if told
        else f"text-{digest(cell.cell_type, cell.source)[:12]}"
    )
    used[base] = used.get(base, 0) + 1
    return base if used[base] == 1 else f"{base}-{used[base]}"


def lint(at: Desk, notebook: NotebookNode) -> None:
    """Raises CourseError if a point could be lost: every task and question has one test cell worth its
    points, and only those.
    """
    wanted = {task.id.replace(".", "-"): (task.points, f'llmlab.check("{task.id}")') for task in at.tasks}
    asked = answers.questions(at.lab)
    wanted |= {f"answer-{q.id}": (float(q.points), f'llmlab.check_answer("{q.id}", ANSWERS)') for q in asked}
    seen: set[str] = set()
    for cell in notebook.cells:
        told = cell.metadata.get("nbgrader")
        if told is None:
            continue
        name = told.get("grade_id")
        if not name or name in seen:
            raise CourseError(
                f"{at.text}: the grade_id {name!r} is {'used twice' if name else 'empty'}. "
                "Give every graded cell its own."
            )
        seen.add(name)
        if not told["grade"] or told["solution"]:
            continue
        if name not in wanted:
            raise CourseError(
                f"{at.text}: the test cell {name!r} belongs to no task or question of {at.lab}. "
                f"Known: {', '.join(wanted)}."
            )
        points, source = wanted.pop(name)
        if float(told.get("points", -1)) != points:
            raise CourseError(
                f"{at.text}: cell {name!r} gives {told.get('points')} points; its check gives {points:g}. "
                "Make them equal."
            )
        if source not in cell.source:
            raise CourseError(
                f"{at.text}: cell {name!r} must call {source}, so that students see what is graded."
            )
    if asked and answers.CELL.format(lab=at.lab) not in seen:
        raise CourseError(
            f"{at.text}: there is no cell {answers.CELL.format(lab=at.lab)!r} for the numeric answers."
        )
    if wanted:
        raise CourseError(f"{at.text}: no test cell for {', '.join(wanted)}; their points would be lost.")
