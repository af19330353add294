"""seccomp: an allow-list of system calls; all others fail with EPERM. Needs no root, and libseccomp.

Allowed is what Python, torch and numpy need to compute: memory, threads of the own process, reading files, the descriptors
they have, clocks. Not allowed, and so not listed: sockets, new processes and programs, writing metadata of files (chmod,
chown, utime, xattr), memory that no limit counts (memfd, System V shared memory), looking into or signalling other
processes (ptrace, process_vm_*, pidfd_*, kill), and the kernel's wide doors (bpf, io_uring, userfaultfd, perf, keys,
mounts, namespaces, modules, clocks to set).
"""

from __future__ import annotations

import ctypes.util
import errno
import os
import sys

READING = """read readv pread64 preadv preadv2 open openat openat2 close close_range lseek stat lstat fstat fstatfs statfs
newfstatat statx access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd chdir fchdir dup dup2 dup3
fadvise64 umask"""
WRITING = "write writev pwrite64 pwritev sendto recvfrom shutdown getsockopt setsockopt getsockname getpeername"
WAITING = """pipe pipe2 poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime"""
MEMORY = "mmap munmap mremap mprotect madvise brk msync mincore membarrier get_mempolicy"
THREADS = """futex futex_waitv set_robust_list get_robust_list set_tid_address rseq arch_prctl sched_yield sched_getaffinity
sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min getcpu exit exit_group wait4
waitid"""
CLOCKS = """nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times getrusage alarm getitimer setitimer
timer_create timer_settime timer_gettime timer_getoverrun timer_delete"""
SIGNALS = "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack restart_syscall pause"
SELF = """getpid gettid getppid getuid geteuid getgid getegid getgroups getresuid getresgid getpgrp getpgid getsid uname sysinfo
getrlimit setrlimit capget getpriority getrandom"""
ALLOWED = tuple(" ".join((READING, WRITING, WAITING, MEMORY, THREADS, CLOCKS, SIGNALS, SELF)).split())

LIBRARY = "libseccomp.so.2"
CLONE_THREAD = 0x00010000
SET_NAME, GET_NAME, SET_VMA = 15, 16, 0x53564D41
AF_UNIX = 1
FCNTL = {0: "F_DUPFD", 1: "F_GETFD", 2: "F_SETFD", 3: "F_GETFL", 4: "F_SETFL", 5: "F_GETLK", 9: "F_GETOWN",
         1030: "F_DUPFD_CLOEXEC", 1032: "F_GETPIPE_SZ"}
"""Not among them: who gets a descriptor's signals (F_SETOWN, F_SETSIG), leases, seals, sizes of pipes."""
IOCTL = {0x5401: "TCGETS", 0x5413: "TIOCGWINSZ", 0x541B: "FIONREAD", 0x5421: "FIONBIO", 0x5450: "FIONCLEX", 0x5451: "FIOCLEX"}


def prepare() -> object | None:
    """The library, if it can be used here; None otherwise. Called before the fork, so that forks do not import."""
    if sys.platform != "linux":
        return None
    usual = ctypes.util.find_library  # it starts programs to find a library; the loader knows this one by its name
    ctypes.util.find_library = {"c": None, "seccomp": LIBRARY}.get
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError):
        return None
    finally:
        ctypes.util.find_library = usual
    return pyseccomp


def build(lib, pid: int):
    """The filter for the process `pid`, not loaded yet."""
    rules = lib.SyscallFilter(lib.ERRNO(errno.EPERM))
    for name in ALLOWED:
        _add(rules, lib, lib.ALLOW, name)
    _add(rules, lib, lib.ERRNO(errno.ENOSYS), "clone3")  # the C library then asks for clone, whose flags can be read
    _add(rules, lib, lib.ALLOW, "clone", lib.Arg(0, lib.MASKED_EQ, CLONE_THREAD, CLONE_THREAD))
    _add(rules, lib, lib.ALLOW, "socketpair", lib.Arg(0, lib.EQ, AF_UNIX))
    _add(rules, lib, lib.ALLOW, "prlimit64", lib.Arg(0, lib.EQ, 0))
    for number in (0, pid):
        _add(rules, lib, lib.ALLOW, "sched_setaffinity", lib.Arg(0, lib.EQ, number))
    for command in FCNTL:
        _add(rules, lib, lib.ALLOW, "fcntl", lib.Arg(1, lib.EQ, command))
    for request in IOCTL:
        _add(rules, lib, lib.ALLOW, "ioctl", lib.Arg(1, lib.EQ, request))
    for name in ("kill", "tgkill"):
        _add(rules, lib, lib.ALLOW, name, lib.Arg(0, lib.EQ, pid))
    for option in (SET_NAME, GET_NAME, SET_VMA):
        _add(rules, lib, lib.ALLOW, "prctl", lib.Arg(0, lib.EQ, option))
    return rules


def _add(rules, lib, action: int, name: str, *arguments) -> None:
    """Add a rule; a call that this architecture does not have needs none."""
    try:
        lib.resolve_syscall(lib.system_arch(), name)
    except ValueError:
        return
    rules.add_rule(action, name, *arguments)


def restrict(lib) -> None:
    """Bind this process, and every thread it starts, to the filter. Raises OSError."""
    build(lib, os.getpid()).load()
