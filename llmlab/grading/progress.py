"""What an instructor sees while a class is graded: a bar with the time left, and a line for each finished
submission.

In a pipe or a log there is no bar, only the lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from llmlab.grading.ledger import GRADED, MANUAL, RUNNING
from llmlab.grading.summary import Summary, short

COLOUR = {GRADED: "green", MANUAL: "cyan"}


@contextmanager
def bar(what: str, console: Console | None = None) -> Iterator:
    """Gives a `progress` for `pipeline.grade` that draws on the console."""
    console = console or Console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as drawn:
        task = drawn.add_task(what, total=None)

        def progress(student: str, status: str, done: int, total: int) -> None:
            drawn.update(task, completed=done, total=total, description=f"{what} {student}")
            if status != RUNNING:
                console.print(
                    Text(f"  {done:>3}/{total}  {student:<20} {status}", style=COLOUR.get(status, "yellow"))
                )

        yield progress


def table(summary: Summary, width: int = 90) -> Table:
    """The summary as a table: student, status, points, what is to be read, reason."""
    made = Table(title=f"{summary.lab}: {len(summary.rows)} students", title_justify="left", pad_edge=False)
    for name, justify in (
        ("student", "left"),
        ("status", "left"),
        ("points", "right"),
        ("to read", "right"),
        ("reason", "left"),
    ):
        made.add_column(name, justify=justify, no_wrap=name != "reason")
    for row in summary.rows:
        made.add_row(
            Text(row.student),
            Text(row.status, style=COLOUR.get(row.status, "yellow")),
            f"{row.points:g} / {row.max_points:g}",
            str(row.to_read or ""),
            Text(short(row.reason, width)),
        )
    return made
