"""A CUDA device behind the interface of a device. The only file of the course that calls `torch.cuda`.

One stream, the current one. Times come from CUDA events, which the device stamps itself.
"""

from __future__ import annotations

import subprocess
import time
import weakref
from collections.abc import Callable, Sequence

import torch

FLUSH_LEAST = 256 * 2**20
"""Bytes that a flush writes at least; several times the L2 cache of every device so far."""

Work = Callable[[], object]


class CudaDevice:
    """The CUDA device `index`. Raises RuntimeError, naming the alternatives, where there is none.

    Works must run on the current stream, and inside a graph they must use the same memory each time.
    """

    asynchronous = True

    def __init__(self, index: int = 0) -> None:
        if not torch.cuda.is_available():
            raise RuntimeError("there is no CUDA device here: take devices.best(), devices.CpuDevice() or "
                               "devices.simulated()")
        self.index = index
        torch.cuda.set_device(index)
        self._properties = torch.cuda.get_device_properties(index)
        self.name = f"GPU: {self._properties.name}"
        self._buffer: torch.Tensor | None = None
        self._ran: weakref.WeakSet[Work] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"CudaDevice({self.name!r})"

    def run(self, work: Work) -> None:
        """Launch a work; returns before it is done."""
        if not callable(work):
            raise TypeError(f"on this device a work is a function without arguments, got {type(work).__name__}")
        work()
        self._ran.add(work)

    def record(self) -> torch.cuda.Event:
        """An event at this place in the queue."""
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def elapsed(self, start: torch.cuda.Event, end: torch.cuda.Event) -> float:
        """Milliseconds between two events. Raises RuntimeError if the device has not reached both."""
        for name, event in (("start", start), ("end", end)):
            if not event.query():
                raise RuntimeError(f"elapsed: the {name} event has not been reached: the device is still working. "
                                   "Call device.synchronize() first.")
        return start.elapsed_time(end)

    def synchronize(self) -> None:
        """Wait until the queue is empty."""
        torch.cuda.synchronize(self.index)

    def now(self) -> float:
        """The host's clock, in seconds."""
        return time.perf_counter()

    def flush(self) -> None:
        """Overwrite a buffer far larger than L2."""
        if self._buffer is None:
            size = max(FLUSH_LEAST, 4 * getattr(self._properties, "L2_cache_size", 0))
            self._buffer = torch.empty(size // 4, dtype=torch.int32, device=f"cuda:{self.index}")
        self._buffer.zero_()

    def capture(self, works: Sequence[Work]) -> torch.cuda.CUDAGraph:
        """A graph of the works. Raises RuntimeError if one has never run: a capture can neither compile nor tune.

        The works run once more on the stream that is captured, before the capture, as PyTorch's documentation asks.
        """
        for work in works:
            if work not in self._ran:
                raise RuntimeError(f"capture: {work!r} has never run. Run every work once before the capture.")
        side = torch.cuda.Stream(self.index)
        side.wait_stream(torch.cuda.current_stream(self.index))
        with torch.cuda.stream(side):
            for work in works:
                work()
        torch.cuda.current_stream(self.index).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            for work in works:
                work()
        return graph

    def replay(self, graph: torch.cuda.CUDAGraph) -> None:
        """Launch a graph."""
        graph.replay()

    def describe(self) -> dict[str, str]:
        """What a results file says about the device."""
        return {"device": self.name, "driver": driver(), "torch": torch.__version__, "cuda": str(torch.version.cuda),
                "compute_capability": f"{self._properties.major}.{self._properties.minor}",
                "memory": f"{self._properties.total_memory / 2**30:.1f} GiB",
                "l2": f"{getattr(self._properties, 'L2_cache_size', 0) / 2**20:.0f} MiB"}


def driver() -> str:
    """The version of the driver, as nvidia-smi tells it; "unknown" where that fails."""
    ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(ask, capture_output=True, text=True, timeout=20, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return told[0] if told else "unknown"
