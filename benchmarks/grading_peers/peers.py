"""The driver's hold on one grader: a process that grades a block when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

from benchmarks.grading_peers import usage

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Block:
    """One turn of one grader."""

    students: int
    seconds: float
    cpu: float
    told: dict[str, Any]


def environment(python: str) -> dict[str, str]:
    """The environment of a grader: its own Python first, and the repository to import from."""
    return os.environ | {"PYTHONPATH": str(ROOT), "PATH": os.pathsep.join([str(Path(python).parent), os.environ["PATH"]])}


class Peer:
    """A grader in a process of its own. It works only during `block`, so others can work in between."""

    def __init__(self, name: str, module: str, *arguments: str | int | Path, log: Path, python: str = sys.executable):
        self.name, self.blocks, self.done, self.log = name, [], False, log
        with log.open("ab") as errors:
            self.process = subprocess.Popen([python, "-m", f"benchmarks.grading_peers.{module}", *map(str, arguments)], cwd=ROOT,
                                            env=environment(python), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                                            text=True, start_new_session=True)
        self.total, self.killed = 0, False

    def block(self, limit: float = 0.0) -> Block:
        """Let it grade the next block, for `limit` seconds at most if that is not 0. Raises RuntimeError if it fails."""
        assert self.process.stdin is not None and self.process.stdout is not None
        timer = Timer(limit, self.kill) if limit else None
        try:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
            if timer:
                timer.start()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            if timer:
                timer.cancel()
        if not line and self.killed:
            raise RuntimeError(f"{self.name} was still at work after {limit:g} s")
        if not line:
            last = [one for one in self.log.read_text(errors="replace").splitlines() if one.strip()][-1:]
            raise RuntimeError(f"{self.name} ended: {last[0] if last else 'it said nothing'}")
        told = json.loads(line)
        made = Block(told["done"] - self.total, told["seconds"], told["cpu"], told)
        self.total = told["done"]
        if told.get("last"):
            self.total, self.done = 0, True
        self.blocks.append(made)
        return made

    def rest(self, limit: float = 0.0) -> list[Block]:
        """All blocks of its next phase, without a pause for others."""
        self.done, first = False, len(self.blocks)
        while not self.done:
            self.block(limit)
        return self.blocks[first:]

    def kill(self) -> None:
        """End it and everything below it."""
        self.killed = True
        for pid in usage.tree(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """End it when it has nothing to do, or after a while in any case."""
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process.wait()
