"""The files of one attempt, read when they are asked for and bounded in size and number. It writes nothing.

A folder inside the folder, or one archive and nothing else, counts as the files in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from llmlab.grading import archives
from llmlab.grading.ledger import UNREADABLE
from llmlab.grading.untrusted import FileProblem, listing, printable, take

MAX_NOTEBOOK = 20 * 2**20
MAX_MODULE = 512 * 2**10
MAX_READ = 100
MAX_TOTAL = 100 * 2**20
"""Files and bytes of one attempt that are read to find the expected files."""
NOTEBOOKS = (".ipynb", ".ipynb.txt", ".ipynb.json", ".json")
"""How Jupyter saves a notebook, and what a browser or a mail program makes of that name."""
MODULES = (".py", ".py.txt")


def is_notebook(name: str) -> bool:
    return name.lower().endswith(NOTEBOOKS)


def is_module(name: str) -> bool:
    return name.lower().endswith(MODULES)


def limit(name: str) -> int:
    """The greatest size at which a file is read."""
    return MAX_NOTEBOOK if is_notebook(name) else MAX_MODULE


class HandedIn(Mapping[str, bytes]):
    """Path -> bytes of the files that could be notebook or module; `wanted` comes first.

    What cannot be taken is not in the mapping: `problems` says why. `others` are the paths of the rest.
    """

    def __init__(self, folder: Path, wanted: tuple[str, ...]):
        self.folder, self.notes, self.total = folder, [], 0
        self.problems: dict[str, FileProblem] = {}
        names = list(listing(folder))
        inside = {name.partition("/")[0] for name in names if "/" in name}
        if len(inside) == 1 and not any("/" not in name or name in wanted for name in names):
            self.folder = folder / inside.pop()
            names = list(listing(self.folder))
        there = [name for name in wanted if os.path.lexists(self.folder / name)]
        useful = [name for name in names if (is_notebook(name) or is_module(name)) and name not in there]
        self.others = [name for name in names if name not in {*there, *useful}]
        self.names: dict[str, bytes | None] = dict.fromkeys((there + useful)[:MAX_READ])
        if len(there) + len(useful) > MAX_READ:
            self.notes.append(f"more than {MAX_READ} files were handed in; the others were not looked at")
        if not any(name for name in self.names if is_module(name) or name.lower().endswith(".ipynb")):
            self._unpack()

    def _unpack(self) -> None:
        """Take the files of the first archive that can be opened."""
        for name in [name for name in self.others if archives.is_archive(name)][:5]:
            try:
                files = archives.unpack(take(self.folder / name, archives.MAX_PACKED))
            except (FileProblem, archives.ArchiveError) as error:
                self.notes.append(f"{printable(name)} was not opened: {error}")
                continue
            tops = {inner.partition("/")[0] for inner in files if "/" in inner}
            if len(tops) == 1 and not any("/" not in inner for inner in files):
                files = {inner.partition("/")[2]: raw for inner, raw in files.items()}
            self.notes.append(f"{printable(name)} was unpacked")
            self.others.remove(name)
            self.others += [inner for inner in files if not (is_notebook(inner) or is_module(inner))]
            useful = [inner for inner in files if is_notebook(inner) or is_module(inner)]
            self.names |= {inner: files[inner] for inner in useful[:MAX_READ]}
            return

    def problem(self, name: str) -> FileProblem | None:
        """Why a file that is there cannot be taken; None if it can, or is not there."""
        self._read(name)
        return self.problems.get(name)

    def _read(self, name: str) -> bytes | None:
        if name not in self.names or name in self.problems:
            return None
        raw = self.names[name]
        try:
            if raw is None:
                raw = take(self.folder / name, limit(name))
                if self.total + len(raw) > MAX_TOTAL:
                    raise FileProblem(UNREADABLE, f"{printable(name)} was not read: too much was handed in")
                self.total += len(raw)
            if len(raw) > limit(name):
                raise FileProblem(
                    UNREADABLE, f"{printable(name)} has {len(raw):,} bytes; the limit is {limit(name):,}"
                )
        except FileProblem as problem:
            self.problems[name], self.names[name] = problem, None
            return None
        self.names[name] = raw
        return raw

    def __getitem__(self, name: str) -> bytes:
        raw = self._read(name)
        if raw is None:
            raise KeyError(name)
        return raw

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._read(name) is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name in list(self.names) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
