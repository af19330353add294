"""Puts the checks of a module together from its parts, one file per topic. It judges nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

from llmlab.checks.protocol import Case, Event, Output, Task, Verdict

Cases = Callable[[int], list[Case]]
Judge = Callable[[Case, Sequence[Output], Sequence[Event]], Verdict]


def put_together(*parts: ModuleType) -> tuple[tuple[Task, ...], Cases, Judge]:
    """TASKS, cases and judge of a module whose parts have their own, in the order of the parts."""
    tasks = tuple(task for part in parts for task in part.TASKS)
    part_of = {task.id: part for part in parts for task in part.TASKS}

    def cases(seed: int) -> list[Case]:
        """All cases of the module; another seed gives other inputs of the same kinds."""
        return [case for part in parts for case in part.cases(seed)]

    def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
        """The verdict of the part that made the case."""
        return part_of[case.task].judge(case, outputs, events)

    return tasks, cases, judge
