"""Run the steps of a make target one after the other, show progress, and log the time of each.

    python tools/steps.py book release class

Names are those of STEPS.  Every step is a command of its own, so each can be run by hand; this file only
orders, times and reports.  It does not decide what is out of date: each command does that for its own
outputs, and a step with nothing to do ends fast.  Times go to _build/times.json:
{"step": {"seconds": s, "exit": code, "when": iso}}.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
TIMES = ROOT / "_build" / "times.json"


@dataclass(frozen=True)
class Step:
    """One command of the course: what it makes, the arguments after `python`, and where its result is."""

    what: str
    command: tuple[str, ...]
    look: tuple[tuple[str, str], ...] = ()


STEPS = {
    "scaffolds": Step("what students fill in, from solutions/", ("-m", "llmlab.grading.scaffold")),
    "book": Step("the book", ("book/build.py",), (("the book", "_build/html/index.html"),)),
    "formats": Step(
        "the book as EPUB and PDF",
        ("book/build.py", "--format", "all"),
        (("the EPUB", "_build/html/downloads/llmlab.epub"), ("the PDF", "_build/html/downloads/llmlab.pdf")),
    ),
    "release": Step(
        "the release of every lab",
        ("-m", "llmlab", "release"),
        (("the labs as released", "assignments/release"),),
    ),
    "class": Step(
        "every lab's release and a sample class: intake, grading, feedback, grades",
        ("-m", "llmlab.grading.sample_class"),
        (
            ("the labs as released", "assignments/release"),
            ("the gradebook", "assignments/gradebook.db"),
            ("every student's feedback", "assignments/feedback"),
            ("the grades of all labs", "assignments/gradebook.csv"),
        ),
    ),
    "student": Step(
        "the wheel and a zip for each lab that students get, scanned for solutions",
        ("-m", "llmlab.grading.artefact"),
        (("what students get", "dist"),),
    ),
}

COURSE = ("book", "class")


def record(times: Path, name: str, seconds: float, code: int) -> None:
    """Add one measured step to the log of times; the other steps' entries stay."""
    times.parent.mkdir(parents=True, exist_ok=True)
    log = json.loads(times.read_text()) if times.is_file() else {}
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    log[name] = {"seconds": round(seconds, 1), "exit": code, "when": when}
    times.write_text(json.dumps(log, indent=1) + "\n")


def run(name: str, step: Step, console: Console, place: str) -> int:
    """Run one step with its output shown as it comes; return its exit code."""
    console.rule(f"[bold]{place} {name}[/bold]: {step.what}", align="left")
    started = time.monotonic()
    code = subprocess.run([sys.executable, *step.command], cwd=ROOT, env={**os.environ}).returncode
    seconds = time.monotonic() - started
    record(TIMES, name, seconds, code)
    if code:
        command = " ".join(["python", *step.command])
        console.print(
            f"[red]{name} failed[/red] after {seconds:.1f} s with exit code {code}. "
            f"Its message is above; the command was: {command}",
            soft_wrap=True,
        )
    else:
        console.print(f"[green]{name} done[/green] in {seconds:.1f} s")
    return code


def missing(names: list[str]) -> list[str]:
    """What the steps promise and is not there: a step that ends well without its result has failed."""
    return [path for name in names for _, path in STEPS[name].look if not (ROOT / path).exists()]


def main(names: list[str]) -> int:
    """Run the named steps until one fails; print where to look when all are done."""
    console = Console()
    unknown = [name for name in names if name not in (*STEPS, "course")]
    if unknown or not names:
        console.print(
            f"steps.py: there is no step {unknown[0]!r}." if unknown else "steps.py: name a step.",
            f"The steps are: {', '.join(STEPS)}; course means {', '.join(COURSE)}.",
        )
        return 2
    names = [part for name in names for part in (COURSE if name == "course" else (name,))]
    for number, name in enumerate(names, 1):
        if code := run(name, STEPS[name], console, f"[{number}/{len(names)}]".replace("[", r"\[")):
            return code
    if absent := missing(names):
        console.print(f"[red]The commands ended well, but this is not there:[/red] {', '.join(absent)}")
        return 1
    table = Table("where to look", "", show_edge=False, box=None)
    for name in names:
        for label, path in STEPS[name].look:
            table.add_row(label, path, style="bold")
    if table.row_count:
        console.rule(align="left")
        console.print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
