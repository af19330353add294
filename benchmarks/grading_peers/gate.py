"""A grader's side of the benchmark: it grades a block, tells how long that took, and waits to be told to go on.

CPU seconds are those of its process and all below it. They are read while its processes live: the time of one that is
killed and never waited for would be lost.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from benchmarks.grading_peers import usage


class Gate:
    """Lines "go" come in on stdin, lines of JSON go out on what was stdout; all other output goes to stderr."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self.began = self.cpu = 0.0
        self.seen: tuple[float, float] | None = None

    def wait(self) -> None:
        """Wait for the next turn. Ends the process when there is none."""
        if sys.stdin.readline().strip() != "go":
            os._exit(0)
        self.cpu, self.began, self.seen = usage.cpu(os.getpid()), time.monotonic(), None

    def look(self) -> None:
        """Read the CPU time now, because processes will be killed before the turn ends."""
        self.seen = usage.cpu(os.getpid()), time.process_time()

    def report(self, **told: Any) -> None:
        """The end of a turn."""
        ended = time.monotonic()
        cpu = usage.cpu(os.getpid()) if self.seen is None else self.seen[0] + time.process_time() - self.seen[1]
        line = {"seconds": ended - self.began, "cpu": cpu - self.cpu} | told
        print(json.dumps(line), file=self.out, flush=True)
