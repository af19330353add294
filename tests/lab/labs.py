"""What the tests of the labs' texts share: each lab read as a notebook, its cells, its hidden keys. Each made once."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import jupytext
import torch
from nbgrader.preprocessors import ClearSolutions
from traitlets.config.loader import PyFileConfigLoader

from llmlab.checks import answers, registry
from llmlab.grading.course import course
from llmlab.grading.places import desk, written
from llmlab.grading.release import source_notebook

ROOT = Path(__file__).parents[2]
LABS = written(course())
TASKS = [task for task in registry.tasks() if task.lab in LABS]
QUESTIONS = [question for question in answers.QUESTIONS if question.lab in LABS]


def tasks(lab: str) -> list:
    return [task for task in TASKS if task.lab == lab]


def questions(lab: str) -> list:
    return [question for question in QUESTIONS if question.lab == lab]


@functools.cache
def notebook(lab: str):
    """The notebook as its author wrote it, with the metadata that the release completes."""
    first, *more = (jupytext.read(part, fmt="py:percent") for part in desk(lab, course()).texts)
    first.cells += [cell for part in more for cell in part.cells]
    return first


@functools.cache
def source(lab: str):
    """The notebook as it goes to nbgrader. Do not change it: copy it."""
    return source_notebook(desk(lab, course()))


@functools.cache
def released(lab: str):
    """What students get: the notebook after nbgrader's ClearSolutions with the course's configuration."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course().assignments)).load_config()
    return ClearSolutions(config=config).preprocess(source_notebook(desk(lab, course())), {})[0]


@functools.cache
def graded(lab: str) -> dict:
    """grade_id -> (metadata, cell) of every cell that nbgrader knows."""
    cells = [cell for cell in notebook(lab).cells if "nbgrader" in cell.metadata]
    found = {cell.metadata["nbgrader"]["grade_id"]: cell for cell in cells}
    assert len(found) == len(cells), "a grade_id is used twice"
    return {name: (cell.metadata["nbgrader"], cell) for name, cell in found.items()}


@functools.cache
def hidden(lab: str):
    """The module `solutions/hidden/<lab>_answers.py`."""
    file = ROOT / "solutions" / "hidden" / f"{lab}_answers.py"
    spec = importlib.util.spec_from_file_location(f"_{lab}_answers", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def keys(lab: str) -> dict:
    """Question id -> key, as they are computed when a class is graded."""
    torch.set_num_threads(1)
    return hidden(lab).answers()
