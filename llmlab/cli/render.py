"""Reports as tables and paragraphs for a terminal. Decides nothing; shows points, status, first failure,
what to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from llmlab.cli.console import marks, plain
from llmlab.harness.reading import link

if TYPE_CHECKING:
    from llmlab.harness.report import Failure, Report, TaskResult

WORDS = {
    "ok": ("right", "green", "ok"),
    "partial": ("partly right", "yellow", "part"),
    "wrong": ("wrong", "red", "bad"),
    "not-written": ("not written yet", "dim", "open"),
    "timeout": ("stopped: too slow", "red", "bad"),
    "crashed": ("crashed", "red", "bad"),
    "unreadable": ("file does not run", "red", "bad"),
}
ROOMY = 110


def heading(report: Report, origin: str) -> list[Text]:
    """Which file was tested: path, hash, and the rule that chose it."""
    return [
        Text.assemble((report.module, "bold"), "  ", plain(report.path), "  ", (report.hash, "cyan")),
        Text(f"  chosen by {plain(origin)}", style="dim"),
    ]


def first_failure(task: TaskResult, width: int) -> str:
    """The first failure in one line, at most `width` characters."""
    failure = task.failure
    if failure is None or task.status == "not-written":
        return ""
    text = " ".join(plain(f"{failure.group}: {failure.message}").split())
    return text if len(text) <= width else text[: width - 3] + "..."


def table(report: Report, to: Console) -> RenderableType:
    """A row for each task; on a narrow terminal the failure goes below its row."""
    signs, roomy = marks(to), to.width >= ROOMY
    grid = Table(box=None, header_style="dim", padding=(0, 1))
    for column in ("", "task", "points", "status"):
        grid.add_column(column, no_wrap=True, justify="right" if column == "points" else "left")
    grid.add_column("first failure, and what to read", ratio=1)
    lines: list[RenderableType] = []
    for task in report.tasks:
        words, style, sign = WORDS[task.status]
        points, first = f"{task.earned:g}/{task.points:g}", first_failure(task, 160)
        below = [Text(first)] if first else []
        if task.status != "ok":
            below.append(Text("read ", "blue", overflow="fold").append(section(task.read)))
        name = Text(task.id, style="bold" if task.status != "not-written" else "")
        grid.add_row(
            Text(signs[sign], style), name, points, Text(words, style), Group(*below) if below else ""
        )
        lines.append(Text.assemble((signs[sign], style), " ", name, f"  {points}  ", (words, style)))
        lines += [Padding(line, (0, 0, 0, 2)) for line in below]
    return grid if roomy else Group(*lines)


def failure(failure: Failure, read: str, to: Console) -> RenderableType:
    """One failure whole: what was called, what was wrong, expected, got, printed, and what to read."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    for label, value, style in (
        ("called", failure.show, ""),
        ("wrong", failure.message, "bold"),
        ("expected", failure.expected, ""),
        ("got", failure.got, ""),
        ("printed", failure.printed, ""),
        ("read", read, "blue"),
    ):
        if value:
            rows.add_row(label, section(value) if label == "read" else Text(plain(value), style=style))
    return Group(
        Text.assemble((failure.task, "bold"), f": {failure.group}"), Padding(rows, (0, 0, 0, 2)), Text("")
    )


def section(read: str) -> Text:
    """The name of a section of the book; in a terminal that can, a link that opens it."""
    address = link(read)
    return Text(read, Style(color="blue", link=address or None), overflow="fold")


def details(report: Report, every: bool, to: Console) -> list[RenderableType]:
    """The failures worth reading in full: every group's, or only the first of the report that is about
    written code.

    What every group of a task says alike ("not written yet", "the file cannot be run") is told once.
    """
    told: set[tuple[str, str]] = set()
    parts = []
    for task in report.tasks:
        for group in task.groups:
            wrong = group.failure
            if wrong is None or not every and task.status == "not-written":
                continue
            key = (task.id if wrong.misconception == "not-written" else "", wrong.message)
            if wrong.misconception in ("not-written", "unreadable") and key in told:
                continue
            told.add(key)
            parts.append(failure(wrong, task.read, to))
    return parts if every else parts[:1]


def summary(report: Report) -> Text:
    """Points and the next step in one line."""
    right = sum(task.status == "ok" for task in report.tasks)
    text = Text.assemble(
        (f"{report.earned:g} of {report.points:g} points", "bold"),
        f", {right} of {len(report.tasks)} {'task' if len(report.tasks) == 1 else 'tasks'} right.",
    )
    following = next((task.id for task in report.tasks if task.status != "ok"), None)
    return text if following is None else text.append(f" Next: {following}")


def show(report: Report, origin: str, to: Console, verbose: bool) -> None:
    """Print a report."""
    for line in heading(report, origin):
        to.print(line, soft_wrap=True)
    to.print(table(report, to))
    parts = details(report, verbose or len(report.tasks) == 1, to)
    if parts:
        to.print()
        to.print(Group(*parts))
    to.print(summary(report))
    if parts and not verbose and len(report.tasks) > 1 and len(details(report, True, to)) > 1:
        to.print(Text("Every failure: add --verbose. One task: llmlab check " + report.tasks[0].id, "dim"))
