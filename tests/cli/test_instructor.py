"""The instructor's commands hand over to `llmlab.grading.pipeline` and turn what it refuses into one line."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from llmlab import grading
from llmlab.grading.course import CourseError


@pytest.fixture
def pipeline(monkeypatch):
    """A pipeline that notes its calls."""
    calls = []

    def grade(lab, course, inbox=None, progress=None, **how):
        calls.append(("grade", lab, course.root, inbox, how))
        progress("ada", "running", 0, 2)
        progress("ada", "graded", 1, 2)
        return "12 graded"

    def step(name):
        return lambda lab, course, **how: calls.append((name, lab, course.root)) or Path(f"/made/{name}")

    fake = SimpleNamespace(calls=calls, grade=grade, **{name: step(name) for name in ("release", "feedback", "export")})
    monkeypatch.setitem(sys.modules, "llmlab.grading.pipeline", fake)
    monkeypatch.setattr(grading, "pipeline", fake, raising=False)
    return fake


@pytest.fixture
def repository(apart, monkeypatch):
    for name in ("solutions", "assignments", "inbox"):
        (apart / name).mkdir()
    return apart


@pytest.mark.parametrize("command", ["release", "feedback", "export"])
def test_each_command_calls_its_step_and_says_where_the_result_is(llmlab, pipeline, repository, command):
    told = llmlab(command, "lab1")
    assert told.code == 0 and f"/made/{command}" in told.out
    assert pipeline.calls == [(command, "lab1", repository)]


def test_grade_passes_the_inbox_and_shows_progress(llmlab, pipeline, repository):
    told = llmlab("grade", "lab1", "--inbox", "inbox", "--course", str(repository))
    assert told.code == 0 and "1/2  ada" in told.err and "graded" in told.err and told.out.startswith("12 graded")
    usual = {"crew": "", "workers": 0, "display": True, "unprotected": False}
    assert pipeline.calls == [("grade", "lab1", repository, Path("inbox"), usual)]


def test_how_to_grade_is_handed_over(llmlab, pipeline, repository):
    told = llmlab("grade", "lab1", "--workers", "3", "--scheduler", "tls://host:8786", "--no-display", "--unprotected")
    assert told.code == 0
    assert pipeline.calls[0][4] == {"crew": "tls://host:8786", "workers": 3, "display": False, "unprotected": True}


def test_what_the_pipeline_refuses_is_one_line_and_1(llmlab, pipeline, repository):
    def refuse(lab, course):
        raise CourseError("There is no text of lab1: write it.")

    pipeline.release = refuse
    told = llmlab("release", "lab1")
    assert told.code == 1 and told.err == "llmlab: There is no text of lab1: write it.\n"


def test_without_nbgrader_the_next_step_is_said(llmlab, repository, monkeypatch):
    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name == "llmlab.grading.pipeline":
                raise ModuleNotFoundError("No module named 'nbgrader'", name="nbgrader")

    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "llmlab.grading.pipeline", raising=False)
    monkeypatch.delattr(grading, "pipeline", raising=False)
    told = llmlab("grade", "lab1")
    assert told.code == 2 and "needs nbgrader" in told.err and "make env" in told.err
