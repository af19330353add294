"""Waits for saves of the watched modules and calls back for each module whose bytes changed. Ctrl-C ends it.

Folders are watched, not files, because many editors save by putting a new file in the old one's place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from watchfiles import watch as changes

from llmlab._finder import LabModuleError, find
from llmlab.cli.console import say

DEBOUNCE_MS, STEP_MS = 200, 30
"""Gather saves for at most 0.2 s; go on as soon as nothing more came for 0.03 s."""


def hashes(modules: Iterable[str]) -> dict[str, str]:
    """Module -> short hash of its saved file, "" while there is none."""
    found = {}
    for module in modules:
        try:
            found[module] = find(module).digest()
        except LabModuleError:
            found[module] = ""
    return found


def changed(before: dict[str, str], modules: Iterable[str]) -> Iterator[str]:
    """The modules whose saved bytes differ from `before`, which is brought up to date."""
    for module, now in hashes(modules).items():
        if now != before.get(module):
            before[module] = now
            yield module


def watch(modules: Iterable[str], checked: Callable[[str], None]) -> None:
    """Call `checked(module)` after each save that changed it, until Ctrl-C."""
    modules = list(modules)
    seen = hashes(modules)
    folders: set[Path] = {find(module).path.parent for module in modules}
    names = {find(module).path.name for module in modules}
    say(f"Watching {', '.join(sorted(names))}. Save a file to check it again; Ctrl-C ends.", "dim")
    try:
        for _ in changes(
            *folders,
            watch_filter=lambda _, path: Path(path).name in names,
            recursive=False,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
        ):
            for module in changed(seen, modules):
                checked(module)
    except KeyboardInterrupt:
        say("Stopped watching.")
