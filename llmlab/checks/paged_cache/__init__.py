"""Checks of `llmlab.paged_cache`, one file per topic; this file only puts them together."""

from __future__ import annotations

from llmlab.checks.paged_cache import allocator, attention, keys, manager, slots, tales, walk
from llmlab.checks.parts import put_together
from llmlab.checks.protocol import Case, Task

TASKS: tuple[Task, ...] = (*allocator.TASKS, *slots.TASKS[:1], *attention.TASKS, *keys.TASKS, *manager.TASKS,
                           *slots.TASKS[1:])
_, _, judge = put_together(allocator, slots, attention, keys, manager)


def cases(seed: int) -> list[Case]:
    """All cases of the module; another seed gives other inputs of the same kinds. The stories of tables are
    the same.
    """
    return (allocator.cases(seed) + slots.cases(seed) + attention.cases(seed) + keys.cases(seed) + tales.told()
            + walk.walks(seed))
