"""A small lab for every test of this folder, and one class graded once."""

import os
import pickle
import shutil

import pytest
from filelock import FileLock
from rich.console import Console

from llmlab.grading import hidden, sample_class
from llmlab.grading.course import Course
from llmlab.grading.places import Desk, desk
from tests.grading import lab_text


@pytest.fixture(scope="module", autouse=True)
def few_tasks():
    """Lab 1 is small here; undone after each file, for tests of other folders in the same process."""
    tasks, made = Desk.tasks, hidden.made
    lab_text.restrict()
    yield
    Desk.tasks, hidden.made = tasks, made


@pytest.fixture
def small(tmp_path, few_tasks):
    """A course of the test's own, not released."""
    return lab_text.small_course(tmp_path / "course")


@pytest.fixture
def released(tmp_path, few_tasks):
    """The desk of a released lab in a course of the test's own."""
    return desk("lab1", lab_text.released_course(tmp_path / "course"))


@pytest.fixture(scope="module")
def graded(tmp_path_factory, few_tasks):
    """(desk, summary) of the sample class after release, grade, feedback and export.

    It is graded once for all workers, since that takes longest; each file gets a copy of its own.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "sample-class"
    with FileLock(f"{shared}.lock"):
        if not (shared / "summary").is_file():
            shutil.rmtree(shared, ignore_errors=True)
            made = sample_class.run(lab_text.released_course(shared / "course"), console=Console(quiet=True))
            (shared / "summary").write_bytes(pickle.dumps(made))
    root = tmp_path_factory.mktemp("class") / "course"
    shutil.copytree(shared / "course", root, symlinks=True)
    return desk("lab1", Course(root)), pickle.loads((shared / "summary").read_bytes())
