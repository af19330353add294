"""A bound on memory and processes of the warm process and all its forks together, by cgroup v2.

Used where the memory controller is there and this user may make groups (systemd delegates one to services and sessions that
ask). Elsewhere each fork still has its own bound on address space. Source: the kernel's cgroup-v2.rst.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PROCESSES = 2_048


def own(root: Path = ROOT, told: str | None = None) -> Path | None:
    """The group that this process is in; None without cgroup v2. `told`: the text of /proc/self/cgroup."""
    if not (root / "cgroup.controllers").is_file():
        return None
    if told is None:
        try:
            told = Path("/proc/self/cgroup").read_text(encoding="utf-8")
        except OSError:
            return None
    path = next((line[3:] for line in told.splitlines() if line.startswith("0::")), "/")
    group = root / path.strip().lstrip("/")
    return group if group.is_dir() else root


def confine(pid: int, memory: int, root: Path = ROOT, told: str | None = None) -> Path | None:
    """Move the process into a new group with at most `memory` bytes; the group's folder, or None where that cannot be."""
    group = own(root, told)
    if group is None:
        return None
    made = group / f"llmlab-{os.getpid()}-{pid}"
    try:
        if "memory" not in (group / "cgroup.controllers").read_text(encoding="utf-8").split():
            return None
        made.mkdir()
        (made / "memory.max").write_text(str(memory), encoding="utf-8")
        with suppress(OSError):
            (made / "memory.swap.max").write_text("0", encoding="utf-8")
        with suppress(OSError):
            (made / "pids.max").write_text(str(PROCESSES), encoding="utf-8")
        (made / "cgroup.procs").write_text(str(pid), encoding="utf-8")
    except OSError:
        release(made)
        return None
    return made


def release(group: Path | None) -> None:
    """Remove a group once its processes are gone."""
    if group is not None:
        with suppress(OSError):
            group.rmdir()
