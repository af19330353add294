"""Checks of `llmlab.kv_cache`, one file per topic; this file only puts them together."""

from __future__ import annotations

from collections.abc import Sequence

from llmlab.checks.kv_cache import attend, loop, passes, places, rows, stores, windows
from llmlab.checks.protocol import Case, Event, Output, Task, Verdict

PARTS = (rows, places, attend, stores, windows, passes, loop)
TASKS: tuple[Task, ...] = tuple(task for part in PARTS for task in part.TASKS)
_PART = {task.id: part for part in PARTS for task in part.TASKS}


def cases(seed: int) -> list[Case]:
    """All cases of the module; another seed gives other inputs of the same kinds."""
    return [case for part in PARTS for case in part.cases(seed)]


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """The verdict of the part that made the case."""
    return _PART[case.task].judge(case, outputs, events)
