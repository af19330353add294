"""Tries out what Linux offers to contain a student's code. Each probe really uses its mechanism, in a
process of its own.

    python -m llmlab.cli.probes Landlock      prints [true, "..."]

This only reports: the sandbox is the grader's. Landlock and seccomp cannot be undone, so a probe must not
run in a process that goes on.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

SECONDS = 20
NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2  # prctl
CREATE_RULESET, RESTRICT_SELF = 444, 446  # the same on every architecture
READ_FILE = 1 << 2
GETPPID = {"x86_64": (110, 0xC000003E), "aarch64": (173, 0xC00000B7)}  # number of the call, AUDIT_ARCH
Result = tuple[bool, str]


def _failed(what: str) -> Result:
    return False, f"{what}: {os.strerror(ctypes.get_errno())}"


def rlimits() -> Result:
    """An address space limit must stop a large allocation."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    try:
        held = bytearray(2**31)
    except MemoryError:
        return True, "an allocation above the limit was refused"
    return False, f"{len(held)} bytes were given in spite of a limit of {2**30}"


def landlock() -> Result:
    """A rule set without any allowed folder must make a readable file unreadable."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return _failed("not in this kernel, or switched off")
    handled = ctypes.c_uint64(READ_FILE)
    rules = libc.syscall(CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(8), 0)
    if rules < 0:
        return _failed("no rule set")
    if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(RESTRICT_SELF, rules, 0):
        return _failed("the rule set was not accepted")
    try:
        Path("/proc/self/status").read_bytes()
    except PermissionError:
        return True, f"ABI {version}; reading a file was refused"
    return False, f"ABI {version}, but a file outside of the rules was read"


def seccomp() -> Result:
    """A filter that refuses one harmless system call must make it fail."""
    if platform.machine() not in GETPPID:
        return False, f"not tried on {platform.machine()}"
    number, arch = GETPPID[platform.machine()]
    program = b"".join(
        struct.pack("HBBI", *line)
        for line in (
            (0x20, 0, 0, 4),
            (0x15, 0, 3, arch),  # load the architecture; another one: allow
            (0x20, 0, 0, 0),
            (0x15, 0, 1, number),  # load the call's number; another one: allow
            (0x06, 0, 0, 0x00050000 | 1),
            (0x06, 0, 0, 0x7FFF0000),
        )
    )  # EPERM; allow
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(SET_SECCOMP, FILTER, header, 0, 0):
        return _failed("the filter was not accepted")
    if libc.syscall(number) == -1:
        return True, "a filtered system call was refused"
    return False, "the filter was accepted, but the call went through"


def bubblewrap() -> Result:
    """A shell inside must see no network and a read-only root."""
    found = shutil.which("bwrap")
    if not found:
        return False, "bwrap is not installed (Debian: apt install bubblewrap)"
    told = subprocess.run(
        [found, "--ro-bind", "/", "/", "--unshare-all", "--die-with-parent", "true"],
        capture_output=True,
        timeout=SECONDS,
    )
    if told.returncode:
        return False, (
            told.stderr.decode(errors="replace").strip().splitlines() or ["it ended with an error"]
        )[-1]
    return True, "a program ran in namespaces of its own"


def cgroup() -> Result:
    """cgroup v2 must offer the memory controller where this process is, in a group that it may write to."""
    root = Path("/sys/fs/cgroup")
    if not (root / "cgroup.controllers").is_file():
        return False, "no cgroup v2 at /sys/fs/cgroup"
    own = next(
        (line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")),
        "/",
    )
    group = root / own.strip().lstrip("/")
    group = group if group.is_dir() else root
    if "memory" not in (group / "cgroup.controllers").read_text().split():
        return False, "the memory controller is not available to this group"
    if not os.access(group / "cgroup.subtree_control", os.W_OK):
        return False, "the memory controller is there, but this user may not make groups"
    return True, "memory controller available, groups may be made"


PROBES: dict[str, Callable[[], Result]] = {
    "rlimits": rlimits,
    "Landlock": landlock,
    "seccomp": seccomp,
    "bubblewrap": bubblewrap,
    "cgroup v2 memory": cgroup,
}


def probe(name: str) -> Result:
    """Run one probe in a process of its own. It never raises for a mechanism that is missing."""
    if sys.platform != "linux":
        return False, f"only on Linux; this is {sys.platform}"
    try:
        done = subprocess.run(
            [sys.executable, "-E", "-P", "-m", "llmlab.cli.probes", name],
            capture_output=True,
            timeout=2 * SECONDS,
        )
        ok, said = json.loads(done.stdout)
        return bool(ok), str(said)
    except (OSError, ValueError, TypeError, subprocess.SubprocessError) as error:
        return False, f"the probe did not finish: {type(error).__name__}"


if __name__ == "__main__":
    try:
        result = PROBES[sys.argv[1]]()
    except (OSError, subprocess.SubprocessError) as problem:
        result = (False, str(problem))
    os.write(1, json.dumps(result).encode())
    os._exit(0)  # after Landlock, Python's own exit may want files it can no longer read
