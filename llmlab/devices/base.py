"""What every device can do. Nothing is implemented here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Device(Protocol):
    """A device with one queue. Host and device each go their own way until they are told to meet.

    `run`, `record`, `flush` and `replay` put something into the queue and return at once, unless the device is the CPU.
    The device carries out what is queued in order, one thing after the other. A work is a Python callable without
    arguments on a real device, and the name of a kernel on the simulated one. Events and graphs are opaque: hand them
    back as they came.
    """

    name: str

    def run(self, work: Any) -> None:
        """Launch a work."""

    def record(self) -> Any:
        """Put an event into the queue: a mark that the device stamps with the time when it gets there."""

    def elapsed(self, start: Any, end: Any) -> float:
        """Milliseconds from one event to another. Raises if the device has not reached both: synchronize first."""

    def synchronize(self) -> None:
        """Make the host wait until the device has done all that is queued."""

    def now(self) -> float:
        """The host's clock, in seconds from an unspecified start. It knows nothing of the device."""

    def flush(self) -> None:
        """Overwrite the cache, so that the next work finds its data in memory. It is queued, and takes time."""

    def capture(self, works: Sequence[Any]) -> Any:
        """Record the launches of some works into a graph, in order. Each work must have run once before."""

    def replay(self, graph: Any) -> None:
        """Launch all works of a graph at once."""
