"""The words that checks, the harness and the grader share. Plain data, no behaviour.

A `Task` is one function a student writes. It has named groups of cases, each worth points. A `Case` is a list of steps
to carry out in the student's process, together with what the trusted side expects; only the steps travel there.
The values in a step may be: None, bool, int, float, str, bytes, torch.Tensor, lists, tuples and dicts of these,
an `Rng`, a `Model`, a `Remote`, a `Handle`. Nothing else crosses, in either direction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class Task:
    """One function of a lab module.

    `id` is "module.function"; `groups` maps a case group's name to its points; `read` is the section of the book
    ("part1/truncation.html#sec-top-p"); `title` says in a few words what the function does.
    """

    id: str
    lab: str
    title: str
    groups: Mapping[str, float]
    read: str

    @property
    def module(self) -> str:
        return self.id.partition(".")[0]

    @property
    def function(self) -> str:
        return self.id.partition(".")[2]

    @property
    def points(self) -> float:
        return sum(self.groups.values())


@dataclass(frozen=True)
class Rng:
    """Becomes `torch.Generator().manual_seed(seed)` in the student's process."""

    seed: int


@dataclass(frozen=True, eq=False)
class Model:
    """A trusted callback: `model(ids, attention_mask)` in the student's process calls `fn` on this side.

    `fn(ids: (B, T) int64, attention_mask: (B, T) int64) -> (B, vocab) float` sees validated inputs only.
    Each call is recorded as an `Event("model", {"ids": ..., "attention_mask": ...})`.
    More than `max_calls` calls, or `max_length` columns, raise in the student's process.
    """

    fn: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    vocab: int
    max_calls: int = 10_000
    max_length: int = 4_096


@dataclass(frozen=True, eq=False)
class Remote:
    """A trusted object with methods: what the student's process gets has the same ones, and each call runs on this side.

    `make()` gives a new object for every run of a case, so that it may keep a state: a clock, a queue, counts. Only `methods`
    can be called, with plain values; what the object raises is raised in the student's process as a ValueError. `facts` are
    plain values that the student reads as attributes. Each call is recorded as an
    `Event(name, {"method": ..., "args": ..., "kwargs": ..., "value": ...})`; "value" is missing when it raised.
    The object must check types, shapes and sizes of its arguments itself: they come from the student.
    More than `max_calls` calls raise in the student's process.

    >>> class Bell:
    ...     def ring(self, times): return "ding " * times
    >>> Remote("bell", Bell, ("ring",)).make().ring(2)
    'ding ding '
    """

    name: str
    make: Callable[[], Any]
    methods: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    max_calls: int = 10_000


@dataclass(frozen=True)
class Handle:
    """Names an object that an earlier `New` step made in the student's process."""

    name: str


@dataclass(frozen=True)
class Call:
    """Call a module-level function."""

    function: str
    args: tuple = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class New:
    """Make an object of a class of the module and keep it under `name`."""

    name: str
    cls: str
    args: tuple = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Do:
    """Call a public method of the object kept under `name`."""

    name: str
    method: str
    args: tuple = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


Step = Call | New | Do


@dataclass(frozen=True, eq=False)
class Case:
    """Steps to carry out, and what the judge needs to know about them.

    `expect` never leaves the trusted side. `show` is the input in one line, for the student; it is made from the first
    step when empty. `seconds` limits the wall time of all steps together. `fresh` asks for a new process.
    """

    task: str
    group: str
    steps: tuple[Step, ...]
    expect: Any = None
    show: str = ""
    seconds: float = 10.0
    fresh: bool = False


@dataclass(frozen=True, eq=False)
class Returned:
    """A step returned `value`. `mutated` names the arguments that the call changed in place.

    `random` is true if torch's global random numbers were used or seeded meanwhile.
    """

    value: Any
    mutated: tuple[str, ...] = ()
    random: bool = False


@dataclass(frozen=True)
class Raised:
    """A step raised. `kind` is the exception's class name, `line` the last line of the student's file involved."""

    kind: str
    message: str
    line: int | None = None


Output = Returned | Raised


@dataclass(frozen=True, eq=False)
class Event:
    """Something the trusted side saw while the steps ran, such as a call of a `Model` or a `Remote`."""

    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What the judge says of a case.

    `misconception` is a short stable id ("drops-crossing-token") when the mistake was recognised, and `message` then
    says in words what was done. `expected` and `got` are short renderings with shape, dtype and first difference.
    """

    ok: bool
    message: str = ""
    expected: str = ""
    got: str = ""
    misconception: str = ""


PASS = Verdict(True)
