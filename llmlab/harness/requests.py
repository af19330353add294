"""Cases as frames for a candidate: several in one frame where nothing on the trusted side takes part in them.

A batch saves the round trips between the processes, which cost more than most cases do. It changes no verdict: a batch that does
not come back whole, or not soon, is asked again case by case (`runner.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from llmlab.checks.protocol import Call, Case, Model, New, Remote, Step
from llmlab.harness import wire

MOST_CASES, MOST_BYTES = 32, 4 * 2**20
"""Of a batch. A case that is larger goes alone."""
BATCH_SECONDS = 2.0
"""What a batch may take; honest code takes milliseconds. Alone, each case has the time that it names."""


@dataclass(frozen=True, eq=False)
class Request:
    """What asks a candidate for some cases: the frame, and the trusted objects that it names by number."""

    cases: tuple[Case, ...]
    frame: bytes
    given: list[Model | Remote]

    @property
    def seconds(self) -> float:
        return self.cases[0].seconds if len(self.cases) == 1 else BATCH_SECONDS


def request(cases: tuple[Case, ...]) -> Request:
    """The request for these cases."""
    given: list[Model | Remote] = []

    def number(one: Model | Remote) -> int:
        if one not in given:
            given.append(one)
        return given.index(one)

    asked = [[wire.encode(_plain(step), callback=number) for step in case.steps] for case in cases]
    return Request(cases, wire.encode({"op": "run", "cases": asked}), given)


kept_request = lru_cache(maxsize=4096)(request)
"""The same, kept: it is the same for every candidate."""


def batches(cases: Iterable[Case]) -> Iterator[tuple[Case, ...]]:
    """The cases in order: neighbours of one task together, alone those that want a new process or trusted objects.

    >>> plain = [Case("m.f", "g", (Call("f", (n,)),)) for n in range(3)]
    >>> asks = Case("m.f", "g", (Call("f", (Model(max, 2),)),))
    >>> [len(batch) for batch in batches([*plain, asks, asks, *plain])]
    [3, 1, 1, 3]
    """
    batch: list[Case] = []
    size = 0
    for case in cases:
        more, alone = _seen(case)
        full = len(batch) == MOST_CASES or size + more > MOST_BYTES
        if batch and (alone or full or batch[-1].task != case.task):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(case)
        size += more
        if alone:
            yield tuple(batch)
            batch, size = [], 0
    if batch:
        yield tuple(batch)


@lru_cache(maxsize=8192)
def _seen(case: Case) -> tuple[int, bool]:
    """The size of a case, and whether it goes alone: the same for every candidate."""
    return _bytes(case), case.fresh or _asks(case)


def _asks(case: Case) -> bool:
    """True if code on the trusted side takes part in the case."""
    return any(isinstance(leaf, (Model, Remote)) for leaf in _leaves([(step.args, step.kwargs) for step in case.steps]))


def _bytes(case: Case) -> int:
    """About what a case takes in a frame."""
    leaves = _leaves([(step.args, step.kwargs) for step in case.steps])
    return sum(leaf.numel() * leaf.element_size() if isinstance(leaf, torch.Tensor) else 8 for leaf in leaves)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _plain(step: Step) -> dict:
    kind = type(step).__name__
    names = [step.function] if isinstance(step, Call) else [step.name, step.cls if isinstance(step, New) else step.method]
    return {"kind": kind, "names": names, "args": list(step.args), "kwargs": dict(step.kwargs)}
