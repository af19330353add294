"""Checks of `llmlab.flops`, one file per topic; this file only puts them together."""

from __future__ import annotations

from collections.abc import Sequence

from llmlab.checks.flops import intensity, layers, memory, passes, seconds
from llmlab.checks.flops.verdicts import judge as judge_value
from llmlab.checks.protocol import Case, Event, Output, Task, Verdict

PARTS = (layers, passes, memory, intensity, seconds)
TASKS: tuple[Task, ...] = tuple(task for part in PARTS for task in part.TASKS)


def cases(seed: int) -> list[Case]:
    """All cases of the module; another seed gives other shapes of the same kinds."""
    return [case for part in PARTS for case in part.cases(seed)]


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """The verdict on the last output: all tasks of the module return numbers, or a dict of them."""
    return judge_value(case, outputs, events)
