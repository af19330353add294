"""Limits and rights of a student's process that need neither Landlock nor seccomp."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
from contextlib import suppress
from pathlib import Path

MEMORY = 4 * 2**30
"""Address space, bytes. Importing torch takes 0.7 GB of it."""
CPU_SECONDS = 600
DESCRIPTORS = 128
PDEATHSIG, SET_DUMPABLE, CAPBSET_DROP, SET_SECUREBITS, NO_NEW_PRIVS = 1, 4, 24, 28, 38
CAPABILITY_V3 = 0x20080522
LAST_CAPABILITY = 63


def new_session() -> None:
    """A session of its own, without a terminal, output to nowhere; it dies with the process that it was forked from."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)


def close_all_but(*keep: int) -> None:
    """Close every descriptor above 2 but these."""
    low = 3
    for fd in sorted(keep):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, 2**16)


def apply() -> None:
    """Bounds: address space, CPU time, descriptors, no file may grow, no core file; the first to go when memory is short."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_CORE, 0),
                       (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, DESCRIPTORS)):
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))


def drop_privileges() -> None:
    """No capability, none to be had, nobody may attach. What is not root has none to begin with."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(LAST_CAPABILITY + 1):
        if libc.prctl(CAPBSET_DROP, capability, 0, 0, 0):
            break  # not allowed, or past the last one
    header, none = struct.pack("Ii", CAPABILITY_V3, 0), bytes(24)
    if libc.capset(header, none):
        raise OSError(ctypes.get_errno(), "the capabilities could not be dropped")
    libc.prctl(SET_DUMPABLE, 0, 0, 0, 0)
