"""Time limits, kept by one thread for all candidates of this process: cheaper than a thread for each case."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Clock:
    """Calls what is due. `limit` may be used from any thread."""

    def __init__(self):
        self.changed = threading.Condition()
        self.due: dict[int, tuple[float, Callable[[], None]]] = {}
        self.number, self.wakes = 0, float("inf")
        self.thread: threading.Thread | None = None

    @contextmanager
    def limit(self, seconds: float, late: Callable[[], None]) -> Iterator[None]:
        """Call `late`, from the clock's thread, if the block takes longer than this."""
        at = time.monotonic() + seconds
        with self.changed:
            self.number += 1
            number = self.number
            self.due[number] = (at, late)
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self._watch, name="time limits", daemon=True)
                self.thread.start()
            if at < self.wakes:
                self.changed.notify()
        try:
            yield
        finally:
            with self.changed:
                self.due.pop(number, None)

    def _watch(self) -> None:
        while True:
            with self.changed:
                now = time.monotonic()
                late = [number for number, (at, _) in self.due.items() if at <= now]
                calls = [self.due.pop(number)[1] for number in late]
                if not calls:
                    self.wakes = min((at for at, _ in self.due.values()), default=float("inf"))
                    self.changed.wait(None if self.wakes == float("inf") else self.wakes - now)
                    self.wakes = 0.0  # awake: whoever adds something earlier need not wake it again
                    continue
            for call in calls:
                call()


CLOCK = Clock()
