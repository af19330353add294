"""Checks of `llmlab.gpu_timing`, one file per topic; this file only puts them together.

Every device in here is the simulated one, so no check needs a GPU. It runs on the trusted side, and the student's timer
calls it through a `Remote`: what was launched, recorded and waited for is read from the calls.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmlab.checks.gpu_timing import costs, graphs, roofline, samples, single, summary
from llmlab.checks.protocol import Case, Event, Output, Task, Verdict

PARTS = (single, samples, graphs, summary, costs, roofline)
TASKS: tuple[Task, ...] = tuple(task for part in PARTS for task in part.TASKS)
_PART = {task.id: part for part in PARTS for task in part.TASKS}


def cases(seed: int) -> list[Case]:
    """All cases of the module; another seed gives other inputs of the same kinds."""
    return [case for part in PARTS for case in part.cases(seed)]


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """The verdict of the part that made the case."""
    return _PART[case.task].judge(case, outputs, events)
