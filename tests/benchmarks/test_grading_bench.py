"""The grading benchmark on a class of two: the class it makes, what it holds verdicts against, and its whole way once.

Nothing here asserts a time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types

import numpy
import pytest
import torch

from benchmarks import grading, record
from benchmarks.grading_peers import courses, figures, stock_checks, usage
from benchmarks.grading_peers.peers import Block
from benchmarks.grading_peers.population import FULL, LESS, MIX, ZERO, Population, Student
from llmlab.checks.protocol import Call, Case, Model, Raised
from llmlab.grading import hidden
from llmlab.grading.places import Desk
from tests.grading import lab_text


@pytest.fixture(scope="module")
def at(tmp_path_factory):
    """The desk of a small lab, released; undone after this file."""
    tasks, made = Desk.tasks, hidden.made
    lab_text.restrict()
    where = lab_text.released_course(tmp_path_factory.mktemp("bench") / "course")
    yield courses.desk("lab1", where)
    Desk.tasks, hidden.made = tasks, made


def test_the_class_has_its_mix_and_is_the_same_for_the_same_seed(at):
    one, again, other = (Population(at, seed).all(20) for seed in (3, 3, 4))
    assert {kind: sum(s.kind == kind for s in one) for kind in MIX} == MIX
    assert [s.files for s in one] == [s.files for s in again] != [s.files for s in other]
    assert len({s.files["decoding.py"] for s in one if s.kind != "untouched"}) == 19


def test_what_is_known_of_a_submission(at):
    found = {one.kind: one for one in Population(at, 3).all(20)}
    assert set(found["perfect"].truth.values()) == {FULL}
    assert set(found["untouched"].truth.values()) == {ZERO}
    assert found["syntax"].truth["decoding-greedy"] == ZERO and found["syntax"].truth["penalties-length_penalty"] == FULL
    assert LESS in found["mistakes"].truth.values()


def test_a_mistake_says_nothing_about_its_callers(at):
    population = Population(at, 3)
    truth = {"decoding-top_p": FULL, "decoding-generate": FULL, "decoding-greedy": FULL}
    population.suffers(truth, "decoding", "top_p")
    assert "decoding-generate" not in truth and truth["decoding-greedy"] == FULL


def test_a_wrong_verdict_is_counted_in_every_direction():
    student = Student("s1", "mistakes", {}, {"a": FULL, "b": LESS, "c": ZERO, "d": LESS})
    full = dict.fromkeys("abcd", 2.0)
    assert figures.wrong({"s1": {"a": 2.0, "b": 1.0, "c": 0.0, "d": 0.0}}, [student], full) == []
    odd = figures.wrong({"s1": {"a": 1.0, "b": 2.0, "c": 1.0}}, [student], full)
    assert [cell for _, cell, _, _ in odd] == ["a", "b", "c", "d"]
    assert figures.wrong({}, [student], full) == []  # nobody's verdict is wrong for a student whom a grader lost


def test_differences_and_ratio_by_hand():
    ours, theirs = {"s1": {"a": 1.0, "b": 2.0}}, {"s1": {"a": 1.0, "b": 0.5}, "s2": {"a": 0.0}}
    assert figures.differences(ours, theirs) == {("b", 2.0, 0.5): 1}
    slow, fast = ([Block(10, seconds, 1.0, {}) for seconds in found] for found in ((40, 60, 50), (2, 4, 5)))
    found = figures.ratio("r", slow, fast)
    assert found["r"] == 5.0 / 0.4 and found["r_all"] == 150 / 11 and found["r_low"] <= found["r"] <= found["r_high"]


@pytest.mark.parametrize("module", ["decoding", "penalties"])
def test_stock_checks_pass_the_solution_and_fail_the_scaffold(module, at, tmp_path, monkeypatch):
    """The judges in one process with the student's code give what ours give: everything and nothing."""
    population = Population(at, 3)
    courses.put(tmp_path, courses.beside(at))
    monkeypatch.setattr(stock_checks, "HERE", tmp_path)
    stock_checks.cases.cache_clear()
    tasks = [task for task in at.tasks if task.module == module]
    solved, scaffold = population.make.solved[module], population.make.scaffolds[module].encode()
    for source, earned in ((solved, [task.points for task in tasks]), (scaffold, [0.0] * len(tasks))):
        student = types.ModuleType(module)
        exec(compile(source, f"{module}.py", "exec"), student.__dict__)
        monkeypatch.setitem(sys.modules, module, student)
        stock_checks.groups.cache_clear()
        assert [stock_checks.check(task.id) for task in tasks] == earned


def test_stock_checks_see_a_change_in_place_and_every_model_call():
    def changes(ids, model):
        model(ids)
        ids += 1
        return ids

    def fails(ids, model):
        raise KeyError("x")

    ids = torch.tensor([[1, 2]])
    case = Case("t.f", "g", (Call("f", (ids, Model(lambda ids, mask: ids, vocab=9))),))
    outputs, events = stock_checks.run(type("m", (), {"f": staticmethod(changes)}), case)
    assert outputs[0].mutated == ("argument 1",) and ids.tolist() == [[1, 2]]
    assert [event.data["ids"].tolist() for event in events] == [[[1, 2]]]
    outputs, _ = stock_checks.run(type("m", (), {"f": staticmethod(fails)}), case)
    assert isinstance(outputs[0], Raised) and outputs[0].kind == "KeyError"


def test_stock_checks_take_numpy_results_as_tensors():
    found = stock_checks.plain([numpy.ones(2), (numpy.int64(3), "x"), {"a": numpy.float64(0.5)}])
    assert torch.equal(found[0], torch.ones(2, dtype=torch.float64)) and found[1:] == [(3, "x"), {"a": 0.5}]
    assert type(found[1][0]) is int


def test_cpu_time_counts_a_child_that_was_waited_for():
    before = usage.cpu(os.getpid())
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True)
    assert usage.cpu(os.getpid()) - before >= 0.25


def test_a_class_of_two_goes_through_ours_and_stock_and_gets_the_same_points(at, tmp_path, monkeypatch):
    monkeypatch.setattr(grading.courses, "ours", small)
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    assert grading.main(["--students", "2", "--block", "2", "--rounds", "1", "--workers", "1", "--only", "turns", "--graders", "verdicts,stock",
                         "--results", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "grading.json").read_text())
    values = found["values"]
    assert found["origin"]["command"] == "python -m benchmarks.grading"
    assert values["complete"] == "yes" and values["otter"] is None
    assert values["verdicts_n"] == values["stock_n"] == 2 and values["differ_stock"] == 0
    assert values["verdicts_wrong"] == values["stock_wrong"] == 0 and values["stock_ungraded"] == 0


def small(root):
    where = lab_text.small_course(root)
    courses.pipeline.release("lab1", where)
    return courses.desk("lab1", where)
