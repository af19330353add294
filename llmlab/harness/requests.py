"""Cases as frames for a candidate: several in one frame, unless trusted objects with a state take part in them.

Cases that call models may share a frame, each with models of its own: a call belongs to the case whose model it names.
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
    """What asks a candidate for some cases: the frame, the trusted objects that it names by number, and whose each is."""

    cases: tuple[Case, ...]
    frame: bytes
    given: list[Model | Remote]
    owners: list[int]

    @property
    def seconds(self) -> float:
        return self.cases[0].seconds if len(self.cases) == 1 else BATCH_SECONDS


def request(cases: tuple[Case, ...]) -> Request:
    """The request for these cases."""
    given: list[Model | Remote] = []
    owners: list[int] = []

    def encoded(step: Step, owner: int) -> bytes:
        def number(one: Model | Remote) -> int:
            for at, other in enumerate(given):
                if other is one:
                    return at
            given.append(one)
            owners.append(owner)
            return len(given) - 1

        return wire.encode(_plain(step), callback=number)

    asked = [[encoded(step, at) for step in case.steps] for at, case in enumerate(cases)]
    return Request(cases, wire.encode({"op": "run", "cases": asked}), given, owners)


kept_request = lru_cache(maxsize=4096)(request)
"""The same, kept: it is the same for every candidate."""


def batches(cases: Iterable[Case]) -> Iterator[tuple[Case, ...]]:
    """The cases in order: neighbours of one task together, alone those that want a new process or an object with a state.

    >>> plain = [Case("m.f", "g", (Call("f", (n,)),)) for n in range(3)]
    >>> asks = [Case("m.f", "g", (Call("f", (Model(max, 2),)),)) for n in range(2)]
    >>> alone = Case("m.f", "g", (Call("f", (Remote("clock", list, ("now",)),)),))
    >>> [len(batch) for batch in batches([*plain, *asks, asks[0], alone, *plain])]
    [5, 1, 1, 3]
    """
    batch: list[Case] = []
    size, models = 0, set()
    for case in cases:
        more, alone, asked = _seen(case)
        full = len(batch) == MOST_CASES or size + more > MOST_BYTES
        if batch and (alone or full or batch[-1].task != case.task or models & asked):
            yield tuple(batch)
            batch, size, models = [], 0, set()
        batch.append(case)
        size, models = size + more, models | asked
        if alone:
            yield tuple(batch)
            batch, size, models = [], 0, set()
    if batch:
        yield tuple(batch)


@lru_cache(maxsize=8192)
def _seen(case: Case) -> tuple[int, bool, frozenset[int]]:
    """The size of a case, whether it goes alone, and the identities of its models: the same for every candidate."""
    leaves = list(_leaves([(step.args, step.kwargs) for step in case.steps]))
    alone = case.fresh or any(isinstance(leaf, Remote) for leaf in leaves)
    return _bytes(leaves), alone, frozenset(id(leaf) for leaf in leaves if isinstance(leaf, Model))


def _bytes(leaves: list[Any]) -> int:
    """About what the leaves of a case take in a frame."""
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
