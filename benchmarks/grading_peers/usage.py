"""CPU time and memory of a process and all below it, read from /proc.

CPU: user and system time of every living process of the tree, and of the children that each has waited for. Memory: the
sum of the proportional set sizes (PSS), where a page that several processes share counts once.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name; [] if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def tree(root: int) -> list[int]:
    """A process and all below it."""
    parents = {int(name): int(found[1]) for name in os.listdir("/proc") if name.isdigit() and (found := stat(int(name)))}
    found, new = [root], [root]
    while new:
        new = [pid for pid, parent in parents.items() if parent in new]
        found += new
    return found


def cpu(root: int) -> float:
    """CPU seconds of a tree up to now."""
    return sum(sum(map(int, found[11:15])) for pid in tree(root) if (found := stat(pid))) / TICK


def memory(root: int) -> int:
    """Bytes that a tree takes now."""
    total = 0
    for pid in tree(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


class Peak:
    """The most memory that a tree took while this was open, sampled."""

    def __init__(self, root: int, every: float = 0.5):
        self.root, self.every, self.bytes, self.done = root, every, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self) -> None:
        while not self.done.wait(self.every):
            self.bytes = max(self.bytes, memory(self.root))

    def __enter__(self) -> Peak:
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.done.set()
        self.thread.join()
