"""What of the last build can be kept. Fingerprints of the sources decide; times and dates do not.

Sphinx itself re-reads a page whose text, figures, data or measured numbers changed. What it does not see is here:
the extensions and the configuration (every page is read again), styles and scripts (every page is written again),
and pages that said something in a build that failed (they are read again, so that they say it again).
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tools.book.variant import Variant

READ = (
    "book/_ext/**/*",
    "_config.yml",
    "_toc.yml",
    "book/ledger/*",
    "book/references.bib",
    "llmlab/checks/**/*.py",
    "llmlab/_finder.py",
    "constraints.txt",
)
"""What turns sources into pages: a change reads every page again, with kept outputs."""
TRANSLATED = ("book/_locale/**/*.po", "book/_locale/**/*.yml")
"""What a page in another language comes from besides."""
WRITTEN = ("book/_static/**/*", "book/_vendor/**/*", "book/_figures/*")
"""Styles and scripts: Sphinx copies them only when it writes a page, so a change writes every page again."""
DOCUMENTED = ("llmlab/**/*.py", "solutions/*.py")
"""What the pages of the reference are made of: a change reads those again."""
REFERENCE = "book/reference"
SAID = re.compile(r"^(?:(?P<file>\S+?\.md)(?::\d*)?: )?(?:\x1b\[\d+m)*(?:WARNING|ERROR|CRITICAL)\b", re.M)


def fingerprint(root: Path, patterns: Iterable[str]) -> str:
    """SHA-256 over names and contents of the files that match, __pycache__ left out."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted({p for pattern in patterns for p in root.glob(pattern)}):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def load(path: Path) -> dict[str, Any]:
    """The record at `path`; empty if there is none or its writing was interrupted."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def save(path: Path, record: dict[str, Any]) -> None:
    """Write a record whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    fresh.replace(path)


def now(variant: Variant) -> dict[str, Any]:
    """The fingerprints of a variant as its sources are now; `ok` is for the end of the build."""
    more = TRANSLATED if variant.language != "en" else ()
    groups = {"read": (*READ, *more), "written": WRITTEN, "documented": DOCUMENTED}
    return {"ok": False, **{name: fingerprint(variant.root, files) for name, files in groups.items()}}


def forget_stale(variant: Variant, last: dict[str, Any], current: dict[str, Any]) -> bool:
    """Remove what Sphinx read and may not use again; True if every page must be written again."""
    trees = variant.doctrees
    if last.get("read") != current["read"] or not (last.get("ok") or "blamed" in last):
        shutil.rmtree(trees, ignore_errors=True)
    for page in last.get("blamed", ()):
        (trees / f"{page}.doctree").unlink(missing_ok=True)
    if last.get("documented") != current["documented"]:
        shutil.rmtree(trees / REFERENCE, ignore_errors=True)
    shutil.rmtree(variant.html / "reports", ignore_errors=True)
    return last.get("written") != current["written"]


def blamed(messages: str, root: Path) -> list[str] | None:
    """The pages that warned or failed; None if a message names no page, so that nothing can be kept.

    >>> blamed("/b/book/a.md:3: WARNING: no such label\\n", Path("/b"))
    ['book/a']
    >>> blamed("WARNING: the table of contents is odd\\n", Path("/b")) is None
    True
    """
    found = set()
    for match in SAID.finditer(messages):
        if match["file"] is None:
            return None
        path = root / match["file"]
        if not path.is_relative_to(root):
            return None
        found.add(path.relative_to(root).with_suffix("").as_posix())
    return sorted(found) or None
