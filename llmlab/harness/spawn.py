"""Starts candidates: by a fork of the warm process on Linux, as a new Python process elsewhere.

Both give a `Process` with two binary streams. Neither passes on the environment of whoever grades or checks: a candidate
cannot tell one from the other.
"""

from __future__ import annotations

import os
import signal
import site
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from typing import BinaryIO

from llmlab._finder import PACKAGE

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONHASHSEED": "0",
               "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "PATH": os.defpath}


class Closed(EOFError):
    """The other side is gone."""


def python() -> list[str]:
    """The interpreter, started so that neither the environment nor the current folder adds anything to import from.

    The person's own site folder is left out too, unless llmlab itself was installed there (`pip install --user`).
    """
    own = site.getusersitepackages() if site.ENABLE_USER_SITE else None
    return [sys.executable, "-E", "-P"] if own and PACKAGE.is_relative_to(own) else [sys.executable, "-I"]


@dataclass
class Process:
    """One candidate's process. `kill` and `end` may be called any number of times, from any thread."""

    pid: int
    inward: BinaryIO
    outward: BinaryIO
    _kill: object
    _end: object
    killed: bool = field(default=False)
    _ended: bool = field(default=False)

    def kill(self) -> None:
        if not self._ended:  # once reaped, its number may belong to another process
            self.killed = True
            self._kill(self.pid)

    def end(self) -> str:
        """Stop it if it still runs; how it ended, in words ("" if it was well until now, or had been ended before)."""
        if self._ended:
            return ""
        self._ended = True
        for stream in (self.outward, self.inward):
            try:
                stream.close()
            except (OSError, ValueError):
                continue  # a broken pipe to a dead process: nothing is lost
        return self._end(self.pid)


def words(code: int) -> str:
    """An exit code as `subprocess` gives it (minus the signal's number after a signal), in words; "" for our own kill.

    >>> words(-11)
    'was ended by the signal SIGSEGV'
    """
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return "" if name == "SIGKILL" else f"was ended by the signal {name}"
    return f"ended with exit code {code}" if code else "ended by itself"


class WarmServer:
    """The trusted side's hold on one `llmlab.harness.server` process."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="llmlab-")
        self.lock = threading.Lock()
        self._launch()

    def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [*python(), "-m", "llmlab.harness.server", str(theirs.fileno())],
            pass_fds=[theirs.fileno()], env=ENVIRONMENT, cwd=self.folder.name, stdin=subprocess.DEVNULL,
            start_new_session=True)
        theirs.close()
        self.control = ours

    def _ask(self, message: bytes, fds: list[int]) -> tuple[int, int]:
        from llmlab.harness.server import REPLY

        with self.lock:
            try:
                socket.send_fds(self.control, [message], fds)
                reply = b""
                while len(reply) < REPLY.size:
                    part = self.control.recv(REPLY.size - len(reply))
                    if not part:
                        raise Closed("the warm process is gone")
                    reply += part
            except OSError as error:
                raise Closed(f"the warm process is gone: {error}") from None
        return REPLY.unpack(reply)

    def start(self) -> Process:
        """A new candidate. Raises Closed if the warm process is gone and a second one does not start either."""
        ours, theirs = socket.socketpair()
        try:
            try:
                pid, _ = self._ask(b"F", [theirs.fileno()])
            except Closed:  # a candidate may have killed it: the next one must not suffer
                self.control.close()
                self.process.wait()
                self._launch()
                pid, _ = self._ask(b"F", [theirs.fileno()])
        finally:
            theirs.close()
        inward, outward = ours.makefile("rb"), ours.makefile("wb")
        ours.close()
        return Process(pid, inward, outward, self._kill, self._end)

    def _kill(self, pid: int) -> None:
        try:
            os.killpg(pid, signal.SIGKILL)  # not reaped before `_end`, so the number cannot have been given away
        except ProcessLookupError:
            return

    def _end(self, pid: int) -> str:
        from llmlab.harness.server import REPLY

        try:
            status = self._ask(b"W" + REPLY.pack(pid, 0), [])[1]
        except Closed:
            return ""
        return "" if status < 0 else words(os.waitstatus_to_exitcode(status))

    def close(self) -> None:
        self.control.close()
        self.process.wait()
        self.folder.cleanup()


class ColdStarter:
    """Starts every candidate as a new Python process: slower, and works wherever Python does."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="llmlab-")
        self.children: dict[int, subprocess.Popen] = {}

    def start(self) -> Process:
        kept = {key: os.environ[key] for key in ("SYSTEMROOT", "TEMP", "TMP") if key in os.environ}
        child = subprocess.Popen([*python(), "-m", "llmlab.harness.candidate"], env=ENVIRONMENT | kept,
                                 cwd=self.folder.name, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, start_new_session=os.name == "posix")
        self.children[child.pid] = child
        return Process(child.pid, child.stdout, child.stdin, self._kill, self._end)

    def _kill(self, pid: int) -> None:
        child = self.children[pid]
        if child.poll() is None:
            child.kill()

    def _end(self, pid: int) -> str:
        self._kill(pid)
        code = self.children.pop(pid).wait()
        return words(code)

    def close(self) -> None:
        for pid in list(self.children):
            self._end(pid)
        self.folder.cleanup()


def starter() -> WarmServer | ColdStarter:
    """The way to start candidates on this system."""
    return WarmServer() if sys.platform == "linux" else ColdStarter()
