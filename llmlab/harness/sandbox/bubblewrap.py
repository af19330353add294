"""Namespaces around the warm process, by bubblewrap: what is not mounted cannot be named, and no process outside is seen.

Used where a start-up probe succeeds. Some systems forbid it to ordinary users (Ubuntu 24.04 by default) and containers often
do; the forks' own confinement does not depend on it. Source: bwrap(1).
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

from llmlab._finder import PACKAGE
from llmlab.harness.sandbox.paths import Readable, readable

SECONDS = 20
NOBODY = "65534"
OWN = ("/dev", "/proc")  # bubblewrap makes these anew


def options(bwrap: str, allowed: Readable) -> list[str]:
    """The command line that goes before the warm process's own."""
    made = [bwrap, "--unshare-all", "--unshare-user", "--uid", NOBODY, "--gid", NOBODY, "--cap-drop", "ALL",
            "--die-with-parent", "--new-session", "--hostname", "llmlab", "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev"]
    for path in sorted({*allowed.trees, *_needed()}):
        if not any(path.is_relative_to(own) for own in OWN):
            made += ["--ro-bind", str(path), str(path)]
    for link in ("/lib", "/lib64", "/bin", "/usr/lib64"):
        if Path(link).is_symlink():
            made += ["--symlink", str(Path(link).readlink()), link]
    return [*made, "--chdir", "/tmp"]


def _needed() -> list[Path]:
    """What only the warm process itself reads: the interpreter, its environment, the package."""
    import sys

    found = [Path(sys.executable).parent, Path(sys.prefix, "pyvenv.cfg"), Path(sys.executable).resolve().parent, PACKAGE]
    return [path for path in found if path.exists()]


@cache
def wrapper() -> tuple[str, ...]:
    """The command line to put before another, or () where namespaces cannot be had: it is tried once."""
    import sys

    found = shutil.which("bwrap")
    if not found:
        return ()
    made = options(found, readable())
    try:
        told = subprocess.run([*made, sys.executable, "-I", "-c", "import llmlab._finder"], capture_output=True, timeout=SECONDS,
                              stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(made) if told.returncode == 0 else ()
