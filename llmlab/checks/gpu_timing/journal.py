"""What a timer asked of the simulated device, read from the recorded calls. It judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmlab.checks.protocol import Event, Remote
from llmlab.devices.simulated import Kernel, SimulatedDevice

METHODS = ("run", "record", "elapsed", "synchronize", "now", "flush", "capture", "replay")
PARAMETERS = {"run": ("work",), "elapsed": ("start", "end"), "capture": ("works",), "replay": ("graph",)}
EXECUTES = ("run", "replay")
QUIET = {"stragglers": 0.0}


@dataclass(frozen=True)
class Op:
    """One call of the device. `value` is what it returned; `raised` that it refused."""

    method: str
    given: dict[str, Any]
    value: Any
    raised: bool


@dataclass(frozen=True)
class Interval:
    """What was read with `elapsed`: the places of its two events and of the reading, the milliseconds."""

    start: int
    end: int
    ms: float
    place: int


def device(kernels: dict[str, Kernel], seed: int, **settings: float) -> Remote:
    """A simulated device for one run of a case."""
    return Remote("device", lambda: SimulatedDevice(kernels, seed, **settings), METHODS,
                  {"name": "simulated asynchronous device", "asynchronous": True}, max_calls=500)


def journal(events: Sequence[Event]) -> list[Op]:
    """All calls of the device, in order, with their arguments by name."""
    ops = []
    for event in events:
        if event.kind == "device":
            method, data = event.data["method"], event.data
            given = dict(zip(PARAMETERS.get(method, ()), data["args"], strict=False)) | dict(data["kwargs"])
            ops.append(Op(method, given, data.get("value"), "value" not in data))
    return ops


def done(ops: list[Op], *methods: str) -> list[int]:
    """The places of the calls of these methods that were not refused."""
    return [place for place, op in enumerate(ops) if op.method in methods and not op.raised]


def intervals(ops: list[Op]) -> list[Interval]:
    """Every pair of events between which the time was read."""
    events = done(ops, "record")
    return [Interval(events[ops[place].given["start"]], events[ops[place].given["end"]], ops[place].value, place)
            for place in done(ops, "elapsed")]


def inside(ops: list[Op], interval: Interval, *methods: str) -> list[int]:
    """The places of calls of these methods between the two events."""
    return [place for place in done(ops, *methods) if interval.start < place < interval.end]


def unreached(ops: list[Op], read: list[Interval]) -> bool:
    """True if a time was read, or tried, before the host had waited for its events."""
    waits = done(ops, "synchronize")
    if any(not any(max(one.start, one.end) < wait < one.place for wait in waits) for one in read):
        return True
    events = done(ops, "record")
    for place, op in enumerate(ops):
        if op.method == "elapsed" and op.raised:
            asked = [op.given.get(name) for name in ("start", "end")]
            if all(type(event) is int and 0 <= event < len(events) for event in asked):
                last = max(events[event] for event in asked)
                if last < place and not any(last < wait < place for wait in waits):
                    return True
    return False
