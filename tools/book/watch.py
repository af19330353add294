"""Builds again when a source of the book is saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import watchfiles
from rich.console import Console

PLACES = ("book", "solutions", "results", "llmlab", "_config.yml", "_toc.yml")
ENDINGS = (".md", ".py", ".yml", ".json", ".js", ".css", ".bib", ".po", ".html")


def is_source(path: str) -> bool:
    """Whether a saved file is one that the book is made of.

    >>> is_source("book/part1/logits.md"), is_source("book/.logits.md.swp"), is_source("book/__pycache__/a.py")
    (True, False, False)
    """
    parts = Path(path).parts
    return path.endswith(ENDINGS) and not any(part[0] == "." or part == "__pycache__" for part in parts if part != "/")


def forever(
    root: Path,
    console: Console,
    build: Callable[[], int],
    changes: Iterable[set[tuple[int, str]]] | None = None,
) -> None:
    """Build at every save until Ctrl-C. `changes` are watchfiles' sets; without it, the file system's."""
    console.print("Watching. Save a file and the book is built again; Ctrl-C ends it.")
    if changes is None:
        places = [root / place for place in PLACES if (root / place).exists()]
        changes = watchfiles.watch(*places, raise_interrupt=True)
    for batch in changes:
        names = {Path(path).relative_to(root).as_posix() for _, path in batch}
        saved = sorted(filter(is_source, names))
        if not saved:
            continue
        console.print(f"[bold]{', '.join(saved[:3])}{' and more' if len(saved) > 3 else ''}[/] changed")
        began = time.monotonic()
        build()
        console.print(f"seen after {time.monotonic() - began:.1f} s; watching")
