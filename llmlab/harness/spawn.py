"""Starts candidates: by a fork of the warm process on Linux, as a new Python process elsewhere.

Both give a `Process` with two binary streams. Neither passes on the environment of whoever grades or checks: a candidate
cannot tell one from the other.
"""

from __future__ import annotations

import json
import os
import signal
import site
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO

from llmlab._finder import PACKAGE
from llmlab.harness.sandbox import ESSENTIAL, bubblewrap, cgroup

REPLY = struct.Struct(">qq")
"""A process id and a status, both ways between the trusted side and the warm process."""
PROOF_SECONDS = 30

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONHASHSEED": "0",
               "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "PATH": os.defpath,
               "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""What candidates and the process that they are forked from see. With the last one glibc asks for large pages (where the kernel
leaves that to programs): a fork copies one entry for 512 pages, which halves what it costs. Other C libraries ignore it."""


class Closed(EOFError):
    """The other side is gone."""


def python() -> list[str]:
    """The interpreter, started so that the current folder adds nothing to import from; the environment is ENVIRONMENT.

    The person's own site folder is left out too, unless llmlab itself was installed there (`pip install --user`).
    """
    own = site.getusersitepackages() if site.ENABLE_USER_SITE else None
    return [sys.executable, "-P"] if own and PACKAGE.is_relative_to(own) else [sys.executable, "-P", "-s"]


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
    """The trusted side's hold on one `llmlab.harness.server` process.

    runtime: what its forks run, "candidate" or "display". namespaces: whether to put it into namespaces of its own where
    that works (`sandbox.bubblewrap`).
    """

    def __init__(self, runtime: str = "candidate", namespaces: bool = True):
        self.runtime, self.namespaces = runtime, namespaces
        self.folder = tempfile.TemporaryDirectory(prefix="llmlab-")
        self.lock = threading.Lock()
        self._launch()

    def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        wrapper = bubblewrap.wrapper() if self.namespaces else ()
        self.wrapped = bool(wrapper)
        self.process = subprocess.Popen(
            [*wrapper, *python(), "-m", "llmlab.harness.server", str(theirs.fileno()), self.runtime],
            pass_fds=[theirs.fileno()], env=ENVIRONMENT, cwd=self.folder.name, stdin=subprocess.DEVNULL,
            start_new_session=True)
        theirs.close()
        self.control = ours
        self.group = cgroup.confine(self.process.pid, _memory())

    def _ask(self, kind: bytes, pid: int = 0, fds: Sequence[int] = ()) -> tuple[int, int]:
        with self.lock:
            try:
                socket.send_fds(self.control, [kind + REPLY.pack(pid, 0)], list(fds))
                reply = b""
                while len(reply) < REPLY.size:
                    part = self.control.recv(REPLY.size - len(reply))
                    if not part:
                        raise Closed("the warm process is gone")
                    reply += part
            except OSError as error:
                raise Closed(f"the warm process is gone: {error}") from None
        return REPLY.unpack(reply)

    def _fork(self, kind: bytes) -> tuple[int, socket.socket]:
        """A new child and our end of its channel. Raises Closed if the warm process is gone and a second one does not start
        either.
        """
        ours, theirs = socket.socketpair()
        try:
            try:
                pid, _ = self._ask(kind, fds=[theirs.fileno()])
            except Closed:  # it may have been killed from outside: the next candidate must not suffer
                self._drop()
                self._launch()
                pid, _ = self._ask(kind, fds=[theirs.fileno()])
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return pid, ours

    def start(self) -> Process:
        """A new candidate. Raises Closed if the warm process is gone and a second one does not start either."""
        pid, ours = self._fork(b"F")
        inward, outward = ours.makefile("rb"), ours.makefile("wb")
        ours.close()
        return Process(pid, inward, outward, self._kill, self._end)

    def protections(self) -> dict[str, bool]:
        """Threat -> whether a candidate is refused it, tried by one; all False if it cannot even be tried."""
        pid, ours = self._fork(b"P")
        try:
            ours.settimeout(PROOF_SECONDS)
            told = b""
            while part := ours.recv(65536):
                told += part
            return {str(name): bool(held) for name, held in json.loads(told).items()}
        except (OSError, ValueError):
            return dict.fromkeys(ESSENTIAL, False)
        finally:
            ours.close()
            self._end(pid)

    def _kill(self, pid: int) -> None:
        with suppress(Closed):
            self._ask(b"K", pid)

    def _end(self, pid: int) -> str:
        try:
            status = self._ask(b"W", pid)[1]
        except Closed:
            return ""
        return "" if status < 0 else words(os.waitstatus_to_exitcode(status))

    def _drop(self) -> None:
        self.control.close()
        self.process.wait()
        cgroup.release(self.group)

    def close(self) -> None:
        self._drop()
        self.folder.cleanup()


def _memory() -> int:
    """Nine tenths of this machine's memory, in bytes: the rest is for everything else."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 9 // 10


class ColdStarter:
    """Starts every candidate as a new Python process: slower, and works wherever Python does."""

    runtime, process = "candidate", None

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

    def protections(self) -> dict[str, bool]:
        """Nothing is enforced where there is no warm process to fork from."""
        return dict.fromkeys(ESSENTIAL, False)

    def close(self) -> None:
        for pid in list(self.children):
            self._end(pid)
        self.folder.cleanup()


def starter() -> WarmServer | ColdStarter:
    """The way to start candidates on this system."""
    return WarmServer() if sys.platform == "linux" else ColdStarter()
