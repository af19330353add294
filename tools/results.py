"""Measure again what the book quotes: every script of benchmarks/ that writes into results/, one by one.

    python tools/results.py            all of them
    python tools/results.py NAME ...   some of them, by the name of their file without .py

Not part of CI: results are committed with their origin, and tests recompute the cheap ones.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent


def scripts(folder: Path) -> list[str]:
    """Names of the files in `folder` that can be run: those with a main guard."""
    guard = 'if __name__ == "__main__":'
    return sorted(path.stem for path in folder.glob("*.py") if guard in path.read_text(encoding="utf-8"))


def main(names: list[str]) -> int:
    """Run the named measurements, or all; stop at the first that fails and return its exit code."""
    console = Console()
    known = scripts(ROOT / "benchmarks")
    if unknown := [name for name in names if name not in known]:
        console.print(f"results.py: there is no measurement {unknown[0]!r}. There are: {', '.join(known)}.")
        return 2
    for name in names or known:
        console.rule(f"[bold]{name}[/bold]", align="left")
        started = time.monotonic()
        if code := subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT).returncode:
            console.print(f"[red]{name} failed[/red] with exit code {code}; its message is above")
            return code
        console.print(f"[green]{name} done[/green] in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
