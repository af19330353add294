"""A simulated asynchronous device: a queue with a clock of its own, the same on every computer.

It computes nothing. It keeps two clocks, in microseconds: the host's, which every call moves a little, and the time at
which the device will have done all that is queued. From these two follows what goes wrong in real measurements:

- a launch returns before the work is done, and `elapsed` before that is an error;
- a work that starts on an empty queue waits for its launch;
- the first run of a kernel compiles it, and the first runs of all find the clock of an idle device: slow;
- data left in L2 by the last run makes the next one faster, until a `flush`, which takes time as well;
- no two runs take the same time, and some take far longer.

The random part of the n-th execution depends on the seed and n alone. What the device did is in `trace`, for pictures.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RAMP = 1.5
"""How much longer the first executions of an idle device take."""
STRAGGLER = 4.0
"""How much longer an execution takes when something else gets in its way."""
MOST_WORKS = 256


@dataclass(frozen=True)
class Kernel:
    """How long a kernel takes: with its data in memory (`cold_us`), in L2 (`warm_us`), to compile (`compile_us`)."""

    cold_us: float
    warm_us: float
    compile_us: float = 40_000.0


@dataclass(frozen=True)
class Span:
    """Something that took time: who ("host" or "device"), what, and from when to when in microseconds."""

    lane: str
    what: str
    start: float
    end: float


KERNELS = {
    "matmul": Kernel(310.0, 295.0), "matvec": Kernel(48.0, 21.0), "attention": Kernel(140.0, 64.0),
    "norm": Kernel(6.0, 3.0), "add": Kernel(5.0, 2.5), "activation": Kernel(7.0, 3.5),
}
"""The kernels of `simulated()`: one large, some that read much, some tiny."""


class SimulatedDevice:
    """An asynchronous device that knows some kernels by name. All times in microseconds; see the parameters' defaults.

    launch_us: what a launch costs the host; record_us: an event; wait_us: from the end of the queue until a waiting
    host goes on; flush_us: a flush, on the device; capture_us: a capture, on the host; upload_us: the first replay of
    a graph, on the device; gap_us: between two kernels of a graph; jitter, stragglers: half width of the random part
    and share of slow executions; ramp: how many executions are slow at first; backlog_us: work already queued by
    somebody else.
    """

    asynchronous = True

    def __init__(self, kernels: Mapping[str, Kernel] | None = None, seed: int = 0, *, launch_us: float = 5.0,
                 record_us: float = 1.0, wait_us: float = 25.0, flush_us: float = 80.0, capture_us: float = 600.0,
                 upload_us: float = 300.0, gap_us: float = 0.5, jitter: float = 0.015, stragglers: float = 0.04,
                 ramp: int = 2, backlog_us: float = 0.0) -> None:
        self.name = f"simulated asynchronous device, seed {seed}"
        self.kernels = dict(KERNELS if kernels is None else kernels)
        self.seed, self.jitter, self.stragglers, self.ramp = seed, jitter, stragglers, ramp
        self.launch_us, self.record_us, self.wait_us, self.flush_us = launch_us, record_us, wait_us, flush_us
        self.capture_us, self.upload_us, self.gap_us = capture_us, upload_us, gap_us
        self.host = 1_000_000.0 + 1_000.0 * seed
        self.free = self.host + backlog_us
        self.trace: list[Span] = [Span("device", "earlier work", self.host, self.free)] if backlog_us else []
        self.executions = 0
        self.compiled: set[str] = set()
        self.resident: set[str] = set()
        self.events: list[float] = []
        self.graphs: list[tuple[str, ...]] = []
        self.uploaded: set[int] = set()

    def __repr__(self) -> str:
        return f"SimulatedDevice({self.name!r}, kernels {', '.join(self.kernels)})"

    def factor(self, execution: int) -> float:
        """By how much the n-th execution (from 0) of a kernel or a graph takes longer than its usual time."""
        return factor(self.seed, execution, self.jitter, self.stragglers, self.ramp)

    def run(self, work: str) -> None:
        """Launch a kernel. Raises ValueError for a name that the device does not know."""
        kernel = self.kernels[self._known(work)]
        if work not in self.compiled:
            self._host(f"compile {work}", kernel.compile_us)
            self.compiled.add(work)
        self._host(f"launch {work}", self.launch_us)
        self._device(work, self._cost(work) * self._next())

    def record(self) -> int:
        """The number of a new event."""
        self._host("record", self.record_us)
        self.events.append(max(self.host, self.free))
        return len(self.events) - 1

    def elapsed(self, start: int, end: int) -> float:
        """Milliseconds between two events. Raises ValueError for what is no event, or one not yet reached."""
        times = []
        for event in (start, end):
            if type(event) is not int or not 0 <= event < len(self.events):
                raise ValueError(f"elapsed: takes two events that record() returned, got {str(event)[:40]}")
            times.append(self.events[event])
        if max(times) > self.host:
            raise ValueError("elapsed: an event has not been reached: the device is still working. "
                             "Call device.synchronize() first.")
        return (times[1] - times[0]) / 1e3

    def synchronize(self) -> None:
        """Wait until the queue is empty."""
        self._host("wait", max(self.free - self.host, 0.0) + self.wait_us)

    def now(self) -> float:
        """The host's clock, in seconds."""
        return self.host / 1e6

    def flush(self) -> None:
        """Overwrite L2."""
        self._host("launch flush", self.launch_us)
        self._device("flush", self.flush_us)
        self.resident.clear()

    def capture(self, works: Sequence[str]) -> int:
        """The number of a new graph. Raises ValueError for an unknown kernel, or one that has never run."""
        if not isinstance(works, (list, tuple)) or not 0 < len(works) <= MOST_WORKS:
            raise ValueError(f"capture: takes a list of 1 to {MOST_WORKS} works, got {str(works)[:40]}")
        for work in works:
            if self._known(work) not in self.compiled:
                raise ValueError(f"capture: {work!r} has never run; its first run compiles it, and a capture cannot "
                                 "record that. Run every work once before the capture.")
        self._host("capture", self.capture_us)
        self.graphs.append(tuple(works))
        return len(self.graphs) - 1

    def replay(self, graph: int) -> None:
        """Launch a graph. Raises ValueError for what is none."""
        if type(graph) is not int or not 0 <= graph < len(self.graphs):
            raise ValueError(f"replay: takes a graph that capture() returned, got {str(graph)[:40]}")
        self._host("launch graph", self.launch_us)
        if graph not in self.uploaded:
            self._device("upload graph", self.upload_us)
            self.uploaded.add(graph)
        works = self.graphs[graph]
        usual = sum(self._cost(work) for work in works) + self.gap_us * (len(works) - 1)
        self._device("graph", usual * self._next())

    def _known(self, work: str) -> str:
        if not isinstance(work, str) or work not in self.kernels:
            raise ValueError(f"there is no work {str(work)[:40]!r} on this device; there are {', '.join(self.kernels)}")
        return work

    def _cost(self, work: str) -> float:
        """The usual time of a kernel now; its data are in L2 afterwards."""
        kernel = self.kernels[work]
        cost = kernel.warm_us if work in self.resident else kernel.cold_us
        self.resident.add(work)
        return cost

    def _next(self) -> float:
        self.executions += 1
        return self.factor(self.executions - 1)

    def _host(self, what: str, microseconds: float) -> None:
        self.trace.append(Span("host", what, self.host, self.host + microseconds))
        self.host += microseconds

    def _device(self, what: str, microseconds: float) -> None:
        start = max(self.host, self.free)
        self.free = start + microseconds
        self.trace.append(Span("device", what, start, self.free))


def factor(seed: int, execution: int, jitter: float, stragglers: float, ramp: int) -> float:
    """The random part of an execution: uniform around 1, a straggler now and then, slow while the clock ramps up.

    >>> factor(0, 5, 0.0, 0.0, 0), factor(0, 1, 0.0, 0.0, 2)
    (1.0, 1.5)
    """
    dice = random.Random(seed * 1_000_003 + execution)
    value = 1 + jitter * dice.uniform(-1, 1)
    if dice.random() < stragglers:
        value *= STRAGGLER
    return value * (RAMP if execution < ramp else 1.0)


def simulated(seed: int = 0, **settings: float) -> SimulatedDevice:
    """The simulated device with the kernels of `KERNELS`; `settings` are those of `SimulatedDevice`.

    >>> device = simulated(jitter=0.0, stragglers=0.0, ramp=0)
    >>> device.run("matmul")  # the first run compiles, and leaves its data in L2
    >>> start = device.record(); device.run("matmul"); end = device.record()
    >>> device.synchronize()
    >>> device.elapsed(start, end)
    0.295
    """
    return SimulatedDevice(KERNELS, seed, **settings)
