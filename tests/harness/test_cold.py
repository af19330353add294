"""Where there is no fork, each candidate is a new Python process. The verdicts are those of the warm path."""

import pytest
import torch

from llmlab.harness.runner import Harness
from llmlab.harness.spawn import ColdStarter
from tests.harness.toys import run_toy, toy_case

SOURCE = """
import os, sys, time, torch
def f(what):
    print("called", what)
    if what == "right": return torch.tensor(1)
    if what == "wrong": return torch.tensor(2)
    if what == "raises": raise ValueError(what)
    if what == "exits": os._exit(3)
    if what == "dies": os.abort()
    if what == "hangs": time.sleep(600)
    if what == "stdout": os.write(1, b"junk" * 1000); sys.__stdout__.write("junk"); return torch.tensor(1)
    if what == "folder": return torch.tensor(("" in sys.path) + ("PYTHONPATH" in os.environ) + 1)
"""
WHAT = ["right", "wrong", "raises", "stdout", "folder", "exits", "dies", "hangs"]


@pytest.fixture(scope="module")
def cold():
    with Harness(ColdStarter()) as harness:
        yield harness


def told(harness) -> list[tuple]:
    """Status, points and message of every group, each kind of behaviour in a group of its own."""
    from llmlab.checks.protocol import Task

    task = Task("decoding.f", "lab1", "a toy", dict.fromkeys(WHAT, 1.0), "part1/start.html#sec-start")
    cases = [toy_case(what, group=what, seconds=3 if what == "hangs" else 30) for what in WHAT]
    found = run_toy(harness, SOURCE, *cases, task=task)
    return [(g.name, g.earned, g.failure and (g.failure.message, g.failure.printed, g.failure.misconception))
            for g in found.groups]


def test_warm_and_cold_say_the_same(harness, cold, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    first, second = told(harness), told(cold)
    assert first == second
    said = {name: failure[0] for name, _, failure in first if failure}
    assert {name for name, earned, _ in first if earned} == {"right", "stdout", "folder"}
    assert "exit code 3" in said["exits"] and "SIGABRT" in said["dies"] and "longer than 3 s" in said["hangs"]


def test_a_cold_file_that_cannot_be_run(cold):
    found = run_toy(cold, "def f(:\n", toy_case(expect=torch.tensor(1)))
    assert found.status == "unreadable" and "line 1: SyntaxError" in found.failure.message
    assert not cold.starter.children, "a process was left"
