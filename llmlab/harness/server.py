"""The warm process: it has torch imported, and forks one confined child for each candidate. Linux only.

It is started by `spawn.py` with one socket and the name of what its children run: `candidate` (checks) or `display`
(cells of a notebook, shown and never scored). Requests are one letter:

    F  with a socket attached: fork a child that serves that socket; the answer is its process id
    K  and a process id: kill that child's group
    W  and a process id: kill it, wait for it; the answer has its wait status
    P  with a socket attached: fork a child that tries what is forbidden and writes what was refused

It imports torch, numpy and the given runtime, runs no code of a student, and never enters a parallel region of torch,
which a fork would not survive.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress

import numpy  # noqa: F401  (imported so that a child finds it ready)
import torch

from llmlab.harness import wire
from llmlab.harness.sandbox import proof
from llmlab.harness.sandbox.confine import Sandbox
from llmlab.harness.spawn import REPLY

RUNTIMES = ("candidate", "display")


def fork(channel: socket.socket, sandbox: Sandbox, work: Callable[[socket.socket], None]) -> int:
    """The process id of a confined child that does `work` on the channel and ends."""
    pid = os.fork()
    if pid:
        channel.close()
        return pid
    status = 1
    try:
        sandbox.enter(channel.fileno())
        work(channel)
        status = 0
    except BaseException:
        if os.environ.get("LLMLAB_DEBUG"):
            traceback.print_exc()
    finally:
        os._exit(status)


def prove(channel: socket.socket) -> None:
    channel.sendall(json.dumps(proof.all_of_it(channel.fileno())).encode())


def kill(pid: int) -> None:
    """End a child and its group. It is not reaped before `W`, so the number cannot have been given away."""
    for end in (os.killpg, os.kill):
        with suppress(OSError):
            end(pid, signal.SIGKILL)


def reap(pid: int) -> int:
    """Kill a child and its group; its wait status, or -1 if there is none."""
    kill(pid)
    try:
        return os.waitpid(pid, 0)[1]
    except OSError:
        return -1


def serve(control: socket.socket, work: Callable[[socket.socket], None]) -> None:
    """Answer requests until the trusted side is gone; then end what is left."""
    sandbox = Sandbox()
    alive: set[int] = set()
    while True:
        data, fds, _, _ = socket.recv_fds(control, 64, 1)
        if not data:
            break
        kind, pid, status = data[:1], 0, 0
        if kind in (b"F", b"P"):
            channel = socket.socket(fileno=fds[0])
            pid = fork(channel, sandbox, work if kind == b"F" else prove)
            alive.add(pid)
        else:
            pid = REPLY.unpack(data[1:1 + REPLY.size])[0]
            if pid in alive and kind == b"K":
                kill(pid)
            elif pid in alive:
                status = reap(pid)
                alive.discard(pid)
            else:
                status = -1
        control.sendall(REPLY.pack(pid, status))
    for pid in alive:
        reap(pid)


def main(descriptor: int, runtime: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # they are for the trusted side, which then closes the socket
        signal.signal(number, signal.SIG_IGN)
    os.environ.pop("PWD", None)  # bubblewrap sets it; a candidate sees the same environment with it and without
    sys.argv, sys.orig_argv = [""], [sys.executable]  # the number of the descriptor would tell who started this
    torch.set_num_threads(1)
    module = importlib.import_module(f"llmlab.harness.{runtime}")
    module.prepare()
    # Warm what the first small case would otherwise pay for; one thread, so no parallel region is entered.
    wire.decode(wire.encode(torch.softmax(torch.randn(2, 8), -1)))
    gc.collect()
    gc.freeze()  # what is here by now stays: collections in the forks need not look at it, nor copy its pages
    serve(socket.socket(fileno=descriptor),
          lambda channel: module.main(channel.makefile("rb"), channel.makefile("wb")))


if __name__ == "__main__":
    if sys.argv[2] not in RUNTIMES:
        raise SystemExit(f"runtime {sys.argv[2]!r} is not one of {', '.join(RUNTIMES)}")
    main(int(sys.argv[1]), sys.argv[2])
