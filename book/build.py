"""Builds the book into _build/html:  python book/build.py [--clean]

What it adds to `jupyter-book build . -W -n --keep-going`:
- one line per chapter as it runs, and at the end where the book is and how long it took;
- outputs are computed again when the code below the chapters changed (Jupyter Book's cache looks at the
  cells alone);
- a build after a failed build starts from fresh pages, so the same error fails again instead of passing
  silently;
- any warning, any failed notebook, and a missing start page end with exit status 1 and the messages.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

ROOT = Path(__file__).resolve().parents[1]
CODE = (
    "solutions/*.py",
    "llmlab/*.py",
    "llmlab/models/**/*",
    "llmlab/devices/**/*",
    "llmlab/figures/**/*",
    "llmlab/checks/**/*",
    "results/*.json",
    "book/_data/*",
    "constraints.txt",
)
"""What chapters may run or read: a change empties the execution cache."""
MACHINERY = (
    "book/_ext/*.py",
    "book/_static/**/*",
    "book/_vendor/**/*",
    "_config.yml",
    "_toc.yml",
    "book/ledger/*",
    "book/references.bib",
)
"""What turns sources into pages: a change re-reads every page, with cached outputs. Styles and scripts are among it, because
Sphinx copies them only when it writes a page."""
STEP = re.compile(r"^(reading sources|writing output)\.\.\. \[ *(\d+)%\] (\S+)")
RUNNING = re.compile(r"^(?:.*/)?(book/\S+?)(?:\.md|\.ipynb)?: Executing notebook")
RAN = re.compile(r"^(?:.*/)?(book/\S+?)(?:\.md|\.ipynb)?: Executed notebook in ([\d.]+) seconds")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
JUPYTER_BOOK_FRAMES = 'Traceback (most recent call last):\n  File "<string>"'
"""Where Jupyter Book's own stack begins, which says nothing about the book."""
KERNEL_CHATTER = "[IPKernelApp] WARNING | Kernel is running over TCP without encryption"
RUNNER_FRAMES = re.compile(
    r"Traceback \(most recent call last\):\n(?:  .*\n)+(?=nbclient\.exceptions\.CellExecutionError)"
)
"""The stack of the notebook runner above a failed cell; what follows shows the cell and its own error."""
CACHED = re.compile(r"^(?:.*/)?(book/\S+?)(?:\.md|\.ipynb)?: Using cached notebook")


def fingerprint(root: Path, patterns: Iterable[str]) -> str:
    """SHA-256 over names and contents of the files that match, __pycache__ left out."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted({p for pattern in patterns for p in root.glob(pattern)}):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def forget_stale(root: Path, build: Path, state: dict[str, object]) -> dict[str, object]:
    """Remove what the last build's state makes unusable; returns the state of the build that now begins."""
    now: dict[str, object] = {
        "code": fingerprint(root, CODE),
        "machinery": fingerprint(root, MACHINERY),
        "ok": False,
    }
    if state.get("code") != now["code"]:
        shutil.rmtree(build / ".jupyter_cache", ignore_errors=True)
    if state != {**now, "ok": True}:
        shutil.rmtree(build / ".doctrees", ignore_errors=True)
    shutil.rmtree(build / "html" / "reports", ignore_errors=True)
    return now


def chapter(name: str) -> str:
    """The name of a page as people know it: "book/part1/logits" -> "part1/logits"."""
    return name.removeprefix("book/")


def follow(lines: Iterator[str], console: Console) -> list[str]:
    """Show progress from Sphinx's output; returns all lines."""
    seen: list[str] = []
    columns = (
        TextColumn("{task.description:<40}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("starting", total=100)
        for line in lines:
            seen.append(line)
            if match := STEP.match(line):
                phase, percent, page = match.groups()
                half = int(percent) / 2 + (50 if phase == "writing output" else 0)
                progress.update(bar, completed=half, description=f"{phase.split()[0]} {chapter(page)}")
            elif match := RUNNING.match(line):
                progress.update(bar, description=f"running {chapter(match[1])}")
            elif match := RAN.match(line):
                console.print(f"  {chapter(match[1]):<24} ran in {float(match[2]):.1f} s")
            elif match := CACHED.match(line):
                console.print(f"  {chapter(match[1]):<24} unchanged")
    return seen


def build(root: Path, console: Console, clean: bool = False) -> int:
    """Build the book of `root`; says how it went and returns the exit status, 0 or 1. One at a time."""
    out = root / "_build"
    out.mkdir(exist_ok=True)
    with FileLock(out / "book.lock"):
        return build_alone(root, out, console, clean)


def build_alone(root: Path, out: Path, console: Console, clean: bool) -> int:
    """`build` without its lock."""
    start = time.monotonic()
    if clean:
        for part in ("html", ".doctrees", ".jupyter_cache"):
            shutil.rmtree(out / part, ignore_errors=True)
    record = out / "book-state.json"
    try:
        state = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        state = {}  # no build before this one, or an interrupted write: start from nothing
    state = forget_stale(root, out, state)
    record.write_text(json.dumps(state), encoding="utf-8")

    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(root),
        "-W",
        "-n",
        "--keep-going",
    ]
    environment = {
        **os.environ,
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    process = subprocess.Popen(
        command,
        cwd=root,
        env=environment,
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    errors: list[str] = []
    reader = threading.Thread(target=errors.extend, args=(process.stderr,))
    reader.start()
    output = follow(iter(process.stdout), console)
    reader.join()
    status = process.wait()

    page, took = out / "html" / "index.html", time.monotonic() - start
    reports = sorted((out / "html" / "reports").rglob("*.err.log"))
    if status == 0 and not reports and page.is_file():
        record.write_text(json.dumps({**state, "ok": True}), encoding="utf-8")
        console.print(
            f"[green]The book is built[/] in {took:.0f} s. Open {page.relative_to(root)}", soft_wrap=True
        )
        return 0
    errors = [line for line in errors if not line.startswith(KERNEL_CHATTER)]
    messages = COLOUR.sub("", "".join(errors) or "".join(output[-15:])).partition(JUPYTER_BOOK_FRAMES)[0]
    console.print(RUNNER_FRAMES.sub("", messages).strip(), markup=False, highlight=False, soft_wrap=True)
    why = f"{len(reports)} chapter(s) failed to run" if reports else "see the warnings above"
    console.print(
        f"[red]The book was not built[/] ({why}); exit status of jupyter-book: {status}, {took:.0f} s"
    )
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the book into _build/html.")
    parser.add_argument("--clean", action="store_true", help="forget all earlier pages and outputs first")
    return build(ROOT, Console(), clean=parser.parse_args().clean)


if __name__ == "__main__":
    sys.exit(main())
