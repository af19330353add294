"""The warm process: it has torch imported, and forks one child for each candidate. Linux only.

It is started by `spawn.py` with one socket. Two requests exist: b"F" with a socket attached forks a child that serves a
candidate on that socket and answers with its process id; b"W" and a process id kills that child's group and answers
with its exit status. It imports torch, numpy and the given runtime, runs no code of a student, and never enters a
parallel region of torch, which a fork would not survive.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import struct
import sys

import numpy  # noqa: F401  (imported so that a child finds it ready)
import torch

from llmlab.harness import candidate, wire

MEMORY = 6 * 2**30
CPU_SECONDS = 600
REPLY = struct.Struct(">qq")


def limits() -> None:
    """Bounds of a child: address space, CPU time, no core files, and no life after its parent."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def child(channel: socket.socket, control: socket.socket) -> None:
    """What the forked process does; it never returns."""
    status = 1
    try:
        control.close()
        os.setsid()
        limits()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        candidate.main(channel.makefile("rb"), channel.makefile("wb"))
        status = 0
    finally:
        os._exit(status)


def end(pid: int) -> int:
    """Kill a child and its group; its wait status, or -1 if it is not ours."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            continue
    try:
        return os.waitpid(pid, 0)[1]
    except OSError:
        return -1


def serve(control: socket.socket) -> None:
    """Answer requests until the trusted side is gone; then end what is left."""
    alive: set[int] = set()
    while True:
        data, fds, _, _ = socket.recv_fds(control, 64, 1)
        if not data:
            break
        if data[:1] == b"F":
            channel = socket.socket(fileno=fds[0])
            pid = os.fork()
            if pid == 0:
                child(channel, control)
            channel.close()
            alive.add(pid)
            control.sendall(REPLY.pack(pid, 0))
        else:
            pid = REPLY.unpack(data[1:1 + REPLY.size])[0]
            status = end(pid) if pid in alive else -1
            alive.discard(pid)
            control.sendall(REPLY.pack(pid, status))
    for pid in alive:
        end(pid)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the trusted side, which then closes the socket
    torch.set_num_threads(1)
    # Warm what the first small case would otherwise pay for; one thread, so no parallel region is entered.
    wire.decode(wire.encode(torch.softmax(torch.randn(2, 8), -1)))
    serve(socket.socket(fileno=int(sys.argv[1])))
