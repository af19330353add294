"""What a student's process may read: Python, its packages, the system's libraries, the given parts of llmlab.

Not among them: the course repository, other people's files, /proc, /tmp, the rest of llmlab (its checks hold an
answer to every task).
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from llmlab._finder import PACKAGE

SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/usr/share/zoneinfo", "/usr/share/fonts",
          "/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/etc/matplotlibrc", "/dev/null", "/dev/zero", "/dev/random",
          "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")
GIVEN = ("__init__.py", "_finder.py", "models", "figures", "devices")
"""The parts of llmlab that a student's code may import. What the warm process imported already is in memory."""


@dataclass(frozen=True)
class Readable:
    """`trees` and files may be read whole; of `listed` folders only the names may be read."""

    trees: tuple[Path, ...]
    listed: tuple[Path, ...]


def readable() -> Readable:
    """The paths that exist here.

    >>> from llmlab._finder import PACKAGE
    >>> all(not (PACKAGE / "checks").is_relative_to(tree) for tree in readable().trees)
    True
    """
    trees = [Path(name) for name in SYSTEM]
    for folder in package_folders():
        if PACKAGE.is_relative_to(folder):  # installed from a wheel: everything beside llmlab, and the given parts
            trees += [entry for entry in folder.iterdir() if entry.name != folder_in(PACKAGE, folder)]
        else:
            trees.append(folder)
    trees += [PACKAGE / name for name in GIVEN]
    found = dict.fromkeys(path.resolve() for path in trees if path.exists())
    return Readable(tuple(found), (PACKAGE,))


def package_folders() -> list[Path]:
    """The folders of the standard library and of installed packages, resolved."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [Path(sysconfig.get_path(name)) for name in names]
    folders += [Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages", "lib-dynload")]
    if site.ENABLE_USER_SITE:
        folders.append(Path(site.getusersitepackages()))
    folders += [Path(sys.base_prefix, "lib", f"libpython{sys.version_info[0]}.{sys.version_info[1]}.so.1.0")]
    kept: list[Path] = []
    for folder in sorted({path.resolve() for path in folders if path.exists()}):
        if not any(folder.is_relative_to(other) for other in kept) or PACKAGE.is_relative_to(folder):
            kept.append(folder)
    return [folder for folder in kept if folder != Path("/") and not os.path.ismount(folder) or folder.name]


def folder_in(path: Path, folder: Path) -> str:
    """The name of the entry of `folder` that leads to `path`.

    >>> folder_in(Path("/a/b/c"), Path("/a"))
    'b'
    """
    return path.relative_to(folder).parts[0]
