"""The processor of this computer behind the interface of a device. It is synchronous: `run` returns when done."""

from __future__ import annotations

import os
import platform
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

CACHE = Path("/sys/devices/system/cpu/cpu0/cache")
USUAL_CACHE, MOST_CACHE = 32 * 2**20, 128 * 2**20
"""Bytes to assume where the system does not tell, and the most that a flush makes room for."""

Work = Callable[[], object]


def last_level_cache() -> int:
    """Bytes of the largest cache of the first core; an assumption of 32 MiB where the system does not tell."""
    sizes = [USUAL_CACHE // 8]
    for file in CACHE.glob("index*/size"):
        text = file.read_text().strip()
        if text[:-1].isdigit() and text[-1] in "KM":
            sizes.append(int(text[:-1]) * (2**10 if text[-1] == "K" else 2**20))
    return max(sizes) if len(sizes) > 1 else USUAL_CACHE


def processor() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


class CpuDevice:
    """The CPU. An event is the host's clock when it is recorded; there is no queue, so nothing is ever waited for.

    `flush` writes a buffer of twice the last cache (at most 256 MiB). A graph is a list of works; replaying saves
    nothing.
    """

    asynchronous = False

    def __init__(self) -> None:
        self.name = f"CPU: {processor()}, {torch.get_num_threads()} of {os.cpu_count()} threads"
        self._buffer: torch.Tensor | None = None
        self._ran: weakref.WeakSet[Work] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"CpuDevice({self.name!r})"

    def run(self, work: Work) -> None:
        """Carry out a work."""
        _callable(work)()
        self._ran.add(work)

    def record(self) -> float:
        """The host's clock, in seconds."""
        return time.perf_counter()

    def elapsed(self, start: float, end: float) -> float:
        """Milliseconds between two events."""
        return (end - start) * 1e3

    def synchronize(self) -> None:
        """Nothing to wait for."""

    def now(self) -> float:
        """The host's clock, in seconds."""
        return time.perf_counter()

    def flush(self) -> None:
        """Push everything else out of the caches."""
        if self._buffer is None:
            size = 2 * min(last_level_cache(), MOST_CACHE)
            self._buffer = torch.zeros(size // 4, dtype=torch.float32)
        self._buffer.add_(1)

    def capture(self, works: Sequence[Work]) -> tuple[Work, ...]:
        """The works, kept in order. Raises RuntimeError if one has never run, as a GPU would."""
        for work in works:
            if _callable(work) not in self._ran:
                raise RuntimeError(f"capture: {work!r} has never run. Run every work once before the capture.")
        return tuple(works)

    def replay(self, graph: tuple[Work, ...]) -> None:
        """Carry out the works of a graph."""
        for work in graph:
            work()

    def describe(self) -> dict[str, str]:
        """What a results file says about the device."""
        return {"device": self.name, "driver": f"none ({platform.system()})", "torch": torch.__version__}


def _callable(work: Work) -> Work:
    if not callable(work):
        raise TypeError(f"on this device a work is a function without arguments, got {type(work).__name__}")
    return work
