"""Hidden cases of `paged_cache`: see `llmlab.grading.hidden`."""

import torch

from llmlab.checks.paged_cache import allocator, attention, manager, slots, walk
from llmlab.checks.paged_cache.manager import line, tale
from llmlab.checks.protocol import Case

SEED = 40_961


def stories() -> list[Case]:
    """The kinds of story that the public cases tell, with other ids."""
    return [
        tale(manager.FORKS, 9, 3, False, [
            line("add", "x", [9, 8, 7, 6, 5], want=0), line("fork", "x", "y"), line("fork", "y", "z"),
            line("append", "z", 1, want=(1, 2), free=[3, 4, 5, 6, 7, 8]), line("free", "x", free=[3, 4, 5, 6, 7,
                                                                                                  8]),
            line("append", "y", 2, want=None, tables={"y": [0, 1], "z": [0, 2]}), line("append", "y", 3, want=None),
            line("fork", "y", "w"), line("append", "w", 3, want=(3, 4), tables={"y": [0, 1, 3], "z": [0, 2],
                                                                                "w": [0, 1, 4]})]),
        tale(manager.HITS, 9, 3, True, [
            line("add", "x", [9, 8, 7, 6, 5, 4, 3], want=0), line("free", "x", free=[3, 4, 5, 6, 7, 8, 2, 1, 0]),
            line("add", "y", [9, 8, 7, 6, 5, 4], want=3, tables={"y": [0, 3]}), line("add", "z", [9, 8, 7, 6, 5, 4,
                                                                                                  1], want=6),
            line("add", "w", [6, 5, 4, 9, 8, 7, 1], want=0)]),
        tale(manager.EVICTED, 4, 2, True, [
            line("add", "x", [9, 8, 7], want=0), line("free", "x", free=[2, 3, 1, 0]), line("add", "y", [5, 4, 3],
                                                                                            want=0),
            line("free", "y", free=[1, 0, 3, 2]), line("add", "z", [1, 1, 1, 1], want=0, tables={"z": [1, 0]}),
            line("add", "w", [9, 8, 7], want=0, tables={"z": [1, 0], "w": [3, 2]})]),
    ]


def extra() -> list[Case]:
    """Longer texts, larger pools, a head size that is no power of two."""
    generator = torch.Generator().manual_seed(SEED)
    return [
        *allocator.walk(generator, allocator.ORDER, 12, 60), *stories(), walk.walk(generator, 24, 4, True, 70),
        slots.slot_case(slots.WHERE, torch.randperm(200, generator=generator)[:9].tolist(), 31, 100, 16),
        slots.usage_case(slots.SHARED, [[4, 9, 2], [4, 9, 7], [4, 1]], [40, 33, 31], 16),
        attention.attention_case(generator, attention.RAGGED, [33, 1, 17, 64], 16, (3, 3, 6), extra=2),
        attention.attention_case(generator, attention.GROUPED, [20, 41], 8, (8, 2, 10)),
    ]
