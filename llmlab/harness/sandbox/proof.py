"""Tries, from inside a confined fork, what a student's code must not be able to do. Says what was refused.

This is the same fork that a submission gets, so what it says holds for submissions. `llmlab doctor` prints it, and grading
real submissions asks it first.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

from llmlab.harness.sandbox.limits import MEMORY

SYSCALLS = {  # memfd_create, ptrace, process_vm_readv, io_uring_setup, bpf, keyctl, perf_event_open, userfaultfd, unshare, shmget
    "x86_64": (319, 101, 310, 425, 321, 250, 298, 323, 272, 29),
    "aarch64": (279, 117, 270, 425, 280, 219, 241, 282, 97, 194),
}
EXPECTED = ("/etc/passwd", "/proc/self/environ", "/proc/1/cmdline", "/etc/hostname")


def refused(attempt: Callable[[], object]) -> bool:
    """True if the attempt failed with an error of the system."""
    try:
        attempt()
    except (OSError, MemoryError):
        return True
    return False


def files() -> bool:
    """Reading what is outside of the allow-list, and listing folders outside of it."""
    return all(refused(lambda path=path: open(path, "rb").read()) for path in EXPECTED) and refused(lambda: os.listdir("/proc"))


def writing() -> bool:
    """A new file here, in /tmp and in shared memory; another mode for a file that may be read."""
    names = ("made-by-proof", "/tmp/made-by-proof", "/dev/shm/made-by-proof")
    made = [name for name in names if not refused(lambda name=name: open(name, "wb").write(b"x"))]
    for name in made:
        with suppress(OSError):
            os.unlink(name)
    return not made and refused(lambda: os.chmod(os.__file__, os.stat(os.__file__).st_mode))


def network() -> bool:
    """TCP, UDP, IPv6 and Unix sockets: to a port of this machine and to an address outside."""
    def send(family: int, kind: int, address: object) -> None:
        with socket.socket(family, kind) as one:
            one.settimeout(0.2)
            one.connect(address)
            if kind == socket.SOCK_DGRAM:
                one.send(b"x")

    tried = [(socket.AF_INET, kind, (host, 9)) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
             for host in ("127.0.0.1", "192.0.2.1")]
    tried += [(socket.AF_UNIX, socket.SOCK_STREAM, "\0llmlab"), (socket.AF_INET6, socket.SOCK_DGRAM, ("::1", 9))]
    return all(refused(lambda one=one: send(*one)) for one in tried)


def processes() -> bool:
    """A new process, and another program in the place of this one."""
    def fork() -> None:
        if os.fork() == 0:
            os._exit(0)
        os.wait()

    return refused(fork) and refused(lambda: os.execv(sys.executable, [sys.executable, "-c", ""]))


def signals() -> bool:
    """A signal to the process it came from, to the first process, and to everybody."""
    return all(refused(lambda pid=pid: os.kill(pid, 0)) for pid in (os.getppid(), 1, -1)) and refused(
        lambda: signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 0))


def memory() -> bool:
    """More address space than the limit, as one map; it is never touched."""
    return refused(lambda: mmap.mmap(-1, MEMORY + 2**20))


def neighbours() -> bool:
    """The memory and the environment of the process it came from."""
    parent = os.getppid()
    return all(refused(lambda name=name: open(f"/proc/{parent}/{name}", "rb").read(1)) for name in ("mem", "environ", "maps"))


def kernel() -> bool:
    """System calls that reach round the other bounds. Each gets arguments that do no harm if it is let through."""
    libc = ctypes.CDLL(None, use_errno=True)
    for number in SYSCALLS.get(platform.machine(), ()):
        ctypes.set_errno(0)
        if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() not in (1, 38):  # EPERM, ENOSYS
            return False
    return platform.machine() in SYSCALLS


def descriptors(keep: int) -> bool:
    """Nothing is open but the null device and the one channel."""
    return all(fd == keep or refused(lambda fd=fd: os.fstat(fd)) for fd in range(3, 256))


def privileges() -> bool:
    """No capability is left."""
    told = (ctypes.c_uint32 * 6)()
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    return ctypes.CDLL(None).capget(header, told) == 0 and not any(told)


def all_of_it(keep: int) -> dict[str, bool]:
    """Threat -> whether it was refused, tried in this process. `keep`: the channel's descriptor."""
    tried = {"files": files, "writing": writing, "network": network, "processes": processes, "signals": signals,
             "memory": memory, "neighbours": neighbours, "kernel interfaces": kernel, "privileges": privileges,
             "descriptors": lambda: descriptors(keep)}
    return {name: bool(attempt()) for name, attempt in tried.items()}
