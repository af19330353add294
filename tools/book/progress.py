"""Sphinx's output as a person wants it: a bar, and a line for each chapter that ran."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

STEP = re.compile(r"^(reading sources|writing output|building|assembling)\S*\.\.\. \[ *(\d+)%\] (\S+)")
PAGE = r"^(?:.*/)?(book/\S+?)(?:\.md|\.ipynb)?: "
RUNNING = re.compile(PAGE + r"Executing notebook")
RAN = re.compile(PAGE + r"Executed notebook in ([\d.]+) seconds(?: \((\d+) of (\d+)\))?")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
KERNEL_CHATTER = "[IPKernelApp] WARNING | Kernel is running over TCP without encryption"
RUNNER_FRAMES = re.compile(
    r"Traceback \(most recent call last\):\n(?:  .*\n)+(?=nbclient\.exceptions\.CellExecutionError)"
)
"""The stack of the notebook runner above a failed cell; what follows shows the cell and its own error."""


def chapter(name: str) -> str:
    """The name of a page as people know it: "book/part1/logits" -> "part1/logits"."""
    return name.removeprefix("book/")


def follow(lines: Iterator[str], console: Console, title: str) -> list[str]:
    """Show progress below `title`; returns all lines. A screen gets a bar, a log gets the lines of chapters only."""
    seen: list[str] = []
    columns = (TextColumn("{task.description:<44}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        bar = progress.add_task(f"{title}: starting", total=100)
        for line in lines:
            seen.append(line)
            if match := STEP.match(line):
                phase, percent, page = match.groups()
                half = int(percent) / 2 + (50 if phase == "writing output" else 0)
                progress.update(bar, completed=half, description=f"{title}: {phase.split()[0]} {chapter(page)}")
            elif match := RUNNING.match(line):
                progress.update(bar, description=f"{title}: running {chapter(match[1])}")
            elif match := RAN.match(line):
                count = f"   {match[3]} of {match[4]}" if match[3] else ""
                console.print(f"  {chapter(match[1]):<24} ran in {float(match[2]):5.1f} s{count}", highlight=False)
                if match[3]:
                    progress.update(bar, completed=100 * int(match[3]) / int(match[4]))
    return seen


def readable(messages: str) -> str:
    """Messages of a failed build without colours, the kernel's chatter and the stack of the notebook runner."""
    lines = COLOUR.sub("", messages).splitlines(keepends=True)
    return RUNNER_FRAMES.sub("", "".join(line for line in lines if not line.startswith(KERNEL_CHATTER))).strip()
