"""`llmlab collect` and `llmlab deadlines`: the commands, their help, and how they speak. All of the work is
in `llmlab.grading`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmlab.cli.console import console, plain, say

if TYPE_CHECKING:
    from llmlab.grading.collect import Collected
    from llmlab.grading.places import Desk

TEACHER = "For instructors"
SHOWN = 20
"""Lines of one kind that are printed; the rest is counted, and lies in the quarantine."""


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command(rich_help_panel=TEACHER)(collect)
    app.command(rich_help_panel=TEACHER)(deadlines)


def collect(
    lab: Annotated[str, typer.Argument(metavar="LAB", help="A lab, such as lab1.")],
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A folder, or a zip.")],
    kind: Annotated[
        str, typer.Option("--from", metavar="KIND", help="auto, moodle, canvas, folder or zip.")
    ] = "auto",
    received: Annotated[
        str, typer.Option("--received", metavar="TIME", help="When all of it arrived; default: now.")
    ] = "",
    listed: Annotated[
        str,
        typer.Option("--list", metavar="CSV", help="The platform's list: persons, and when each handed in."),
    ] = "",
    student: Annotated[
        str, typer.Option("--student", metavar="ID", help="Whose it is, for one student's zip.")
    ] = "",
    course: Annotated[
        str, typer.Option("--course", metavar="DIR", help="The course repository, if it is not around here.")
    ] = "",
) -> None:
    """Bring submissions into the inbox: a class's zip from Moodle or Canvas, a folder, or one student's zip.

    Collect as often as you like: what is there already is not added again, and a new version becomes a new
    attempt. What cannot be taken is kept in assignments/quarantine/ with the reason. Exit code 1 then.

    A zip that a student sent you says nothing of whose it is: always name the student.

    \b
    llmlab collect lab1 class.zip                     from Moodle or Canvas
    llmlab collect lab1 class.zip --list grades.csv   with times of arrival
    llmlab collect lab1 folder/                       folder/STUDENT/lab1/
    llmlab collect lab1 lab1.zip --student ada        one that came by mail
    """
    from llmlab.cli import instructor, names
    from llmlab.grading import deadlines as rules

    at = _desk(names.lab(lab), course)
    from llmlab.grading.collect import collect as bring

    when = None
    if received:
        zone = instructor._call(rules.timezone, at.root / rules.FILE)
        when = instructor._call(rules.moment, received, zone, "--received")
    path, table = Path(source).expanduser(), Path(listed).expanduser() if listed else None
    with _bar(f"collecting {at.lab}") as progress:
        done = instructor._call(
            bring, at, path, kind, received=when, listed=table, student=student, progress=progress
        )
    raise typer.Exit(_tell(at, done))


def _tell(at: Desk, done: Collected) -> int:
    from llmlab.grading.collect import ADDED, KNOWN, REFUSED, UNMATCHED

    for what, style in ((ADDED, "green"), (KNOWN, "dim"), (UNMATCHED, "yellow"), (REFUSED, "red")):
        found = [one for one in done.outcomes if one.what == what]
        for one in found[:SHOWN] if what != KNOWN else []:
            owner = f" -> {one.student}" if one.student and one.student != one.label else ""
            say(f"  {what:<8}  {one.label}{owner}{f': {one.reason}' if one.reason else ''}", style)
        if len(found) > SHOWN and what != KNOWN:
            say(f"  ... and {len(found) - SHOWN} more", style)
    say(
        f"{at.lab}, from {done.kind}: {done.count(ADDED)} attempts taken, {done.count(KNOWN)} known already, "
        f"{done.count(UNMATCHED)} nobody's, {done.count(REFUSED)} refused."
    )
    bad = done.count(UNMATCHED) + done.count(REFUSED)
    if bad:
        say(f"Kept, with the reasons: {at.root / 'quarantine' / at.lab}", "yellow")
    if not done.outcomes:
        say("Nothing was found in it. Is it the right file? See `llmlab collect --help`.", "yellow")
    else:
        say(f"Next: `llmlab grade {at.lab}`. Who was late: `llmlab deadlines {at.lab}`.", "dim")
    return 1 if bad or not done.outcomes else 0


def deadlines(
    lab: Annotated[str, typer.Argument(metavar="LAB", help="A lab, such as lab1.")],
    course: Annotated[
        str, typer.Option("--course", metavar="DIR", help="The course repository, if it is not around here.")
    ] = "",
) -> None:
    """Show who has which due date, what arrived when, and what counts.

    The rules are in assignments/deadlines.toml: due dates, extensions, late work, last or best attempt.

    \b
    llmlab deadlines lab1
    """
    from llmlab.cli import instructor, names

    at = _desk(names.lab(lab), course)
    from rich.table import Table
    from rich.text import Text

    from llmlab.grading import deadlines as rules
    from llmlab.grading import standing

    terms = instructor._call(rules.read, at)
    zone = instructor._call(rules.timezone, at.root / rules.FILE)
    rows = instructor._call(standing.rows, at, terms)
    due = standing.shown(terms.due, zone) if terms.due else "no deadline"
    say(f"{at.lab}: {due}; the {terms.policy} attempt counts; late work is {terms.late}.")
    table = Table(pad_edge=False)
    for name in ("student", "due", "attempts", "arrived", "late", "note"):
        table.add_column(name, no_wrap=name != "note")
    for row in rows:
        style = "red" if row.late else "" if row.attempts else "dim"
        cells = (row.student, row.due(zone), str(row.attempts or ""), row.arrived(zone), row.late, row.note)
        table.add_row(*[Text(plain(cell)) for cell in cells], style=style)
    console().print(table)
    if not (at.root / rules.FILE).is_file():
        say(f"There is no {at.root / rules.FILE}. To set a deadline, write it; for example:", "dim")
        for line in rules.EXAMPLE.format(lab=at.lab).splitlines():
            say(f"    {line}", "dim")


def _desk(lab: str, where: str) -> Desk:
    from llmlab.cli import instructor

    _, found = instructor._tools(where)
    from llmlab.grading.places import desk

    return instructor._call(desk, lab, found)


class _bar:
    """A progress bar with the time left, on a terminal; nothing in a pipe."""

    def __init__(self, what: str):
        from rich.progress import Progress

        to = console(stderr=True)
        self.drawn = Progress(console=to, disable=not to.is_terminal, transient=True)
        self.task = self.drawn.add_task(what, total=None)

    def __enter__(self):
        self.drawn.start()
        return self.step

    def step(self, label: str, done: int, total: int) -> None:
        self.drawn.update(self.task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self.drawn.stop()
