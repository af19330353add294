"""The gates in a browser, from Python: installs what they need (npm, pinned by its lock file), and runs them.

The work is in tests/book/gates/run.js: axe in three modes, console, remote requests, formulas, figures, width.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from tools.book import browser

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "book" / "gates"
STAMP = FOLDER / "node_modules" / ".llmlab-lock"


@dataclass(frozen=True)
class Finding:
    """One fault: which gate, on which page, in which mode, and what."""

    gate: str
    page: str
    mode: str
    what: str

    def __str__(self) -> str:
        return f"{self.gate}: {self.page} ({self.mode}): {self.what}"


class NotInstalled(RuntimeError):
    """The gates cannot run here; the text says what to install."""


def install() -> None:
    """`npm ci`, unless what the lock file names is there already. NotInstalled says what is missing."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NotInstalled(f"no {program}: install Node 18 or newer (Debian: apt-get install nodejs npm)")
    if browser.executable() is None:
        raise NotInstalled("no Chromium: install it (Debian: apt-get install chromium)")
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    lock = FOLDER.parents[2] / "_build" / "gates.lock"
    lock.parent.mkdir(exist_ok=True)
    with FileLock(lock):
        if STAMP.is_file() and STAMP.read_text() == wanted:
            return
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise NotInstalled(f"npm ci in tests/book/gates failed: {done.stderr.strip()[-800:]}")
        STAMP.write_text(wanted)


def pages_of(root: Path) -> list[str]:
    """The pages of a built tree that a reader meets: not Sphinx's static files, not the page that only redirects."""
    found = (path.relative_to(root) for path in root.rglob("*.html"))
    return sorted(p.as_posix() for p in found if "_static" not in p.parts and p.name != "index.html")


def run(root: Path, pages: list[str] | None = None, tabs: int = 2) -> tuple[list[Finding], dict[str, Any]]:
    """All findings in a tree, and what was seen: numbers of pages, formulas, figures, and the seconds it took."""
    install()
    with tempfile.TemporaryDirectory() as folder:
        order, out = Path(folder) / "order.json", Path(folder) / "out.json"
        wanted = {"chromium": browser.executable(), "root": str(root.resolve()), "tabs": tabs, "out": str(out)}
        order.write_text(json.dumps({**wanted, "pages": pages or pages_of(root)}), encoding="utf-8")
        done = subprocess.run(["node", str(FOLDER / "run.js"), str(order)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the gates did not run: {done.stderr.strip()[-2000:]}")
        answer = json.loads(out.read_text(encoding="utf-8"))
    return [Finding(**one) for one in answer["found"]], {**answer["seen"], "seconds": answer["seconds"]}
