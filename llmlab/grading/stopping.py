"""Ctrl-C that is not lost. Libraries sometimes swallow a KeyboardInterrupt; what was asked for is then still known."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Stopping:
    """A context in which Ctrl-C raises KeyboardInterrupt, and `check` raises it again if somebody swallowed it."""

    def __init__(self):
        self.asked, self._usual = False, None

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._usual = signal.signal(signal.SIGINT, self._stop)
        return self

    def __exit__(self, *_) -> None:
        if self._usual is not None:
            signal.signal(signal.SIGINT, self._usual)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raises KeyboardInterrupt if Ctrl-C was pressed since the context began."""
        if self.asked:
            raise KeyboardInterrupt
