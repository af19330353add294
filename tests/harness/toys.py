"""A toy task `f` whose judge compares with one tensor, and a short way to check a source against it."""

from types import SimpleNamespace

import torch

from llmlab.checks.judging import Expect, judge
from llmlab.checks.protocol import Call, Case, Task
from llmlab.harness.runner import Harness

TASK = Task("decoding.f", "lab1", "a toy", {"g": 1.0}, "part1/start.html#sec-start")
CHECKS = SimpleNamespace(judge=judge)


def toy_case(*args, expect=None, group="g", seconds=10.0, **kwargs) -> Case:
    """Calls `f(*args, **kwargs)`; expects `expect`, by default tensor(1)."""
    wanted = torch.tensor(1) if expect is None else expect
    return Case("decoding.f", group, (Call("f", args, kwargs),), Expect(wanted), seconds=seconds)


def run_toy(harness: Harness, source: str, *cases: Case, task: Task = TASK):
    """The result of the toy task for this source."""
    found = harness.check_source("decoding", source.encode(), "decoding.py", [task], cases or (toy_case(),), CHECKS)
    return found.tasks[0]
