"""Checks of `llmlab.paged_cache`, one file per topic; this file only puts them together."""

from __future__ import annotations

from collections.abc import Sequence

from llmlab.checks.paged_cache import allocator, attention, keys, manager, slots, tales, walk
from llmlab.checks.protocol import Case, Event, Output, Task, Verdict

PARTS = (allocator, slots, attention, keys, manager)
TASKS: tuple[Task, ...] = (*allocator.TASKS, *slots.TASKS[:1], *attention.TASKS, *keys.TASKS, *manager.TASKS,
                           *slots.TASKS[1:])
_PART = {task.id: part for part in PARTS for task in part.TASKS}


def cases(seed: int) -> list[Case]:
    """All cases of the module; another seed gives other inputs of the same kinds. The stories of tables are
    the same.
    """
    return (allocator.cases(seed) + slots.cases(seed) + attention.cases(seed) + keys.cases(seed) + tales.told()
            + walk.walks(seed))


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """The verdict of the part that made the case."""
    return _PART[case.task].judge(case, outputs, events)
