"""Where a student can open the section that a check names.

A check says "part1/truncation.html#sec-top-p". `link` turns that into an address of the book that lies nearest:
the one named in `llmlab.toml` (`[workspace] book = "path or https address"`), one beside the workspace (as in the zip that
students get), or the one built in the course repository. Without any, the name alone has to do.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from llmlab._finder import CONFIG, PACKAGE, workspace

INSIDE = "book"  # the built site keeps its chapters in this folder


def _named(root: Path) -> str:
    try:
        settings = tomllib.loads((root / CONFIG).read_text(encoding="utf-8"))
        named = settings.get("workspace", {}).get("book", "")
    except (OSError, ValueError, AttributeError):
        return ""
    return named if isinstance(named, str) else ""


def site(start: Path | None = None) -> str:
    """The address of the nearest book, without a slash at the end; "" if there is none."""
    root = workspace(start)
    places = [PACKAGE.parent / "_build" / "html"]
    if root is not None:
        named = _named(root)
        if named.startswith(("https://", "http://")):
            return named.rstrip("/")
        places = [root / named, root.parent / "book", *places] if named else [root.parent / "book", *places]
    for place in places:
        if (place / INSIDE / "part1").is_dir():
            return place.resolve().as_uri()
    return ""


def link(read: str, start: Path | None = None) -> str:
    """The address of a section, or "" if no book is near.

    read: as in `Task.read`, a page and its label. start: the folder to look from; the current one if None.
    """
    found = site(start)
    return f"{found}/{INSIDE}/{read}" if found and read else ""
