"""`llmlab regrade` and `llmlab overview`: grade again after a check was mended, and look at a class. The work
is `llmlab.grading.regrade`'s and `llmlab.grading.overview`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from llmlab.grading.regrade import Regrade

TEACHER = "For instructors"
Lab = Annotated[str, typer.Argument(metavar="LAB", help="A lab, such as lab1.")]
CourseDir = Annotated[
    str, typer.Option("--course", metavar="DIR", help="The course repository, if it is not around here.")
]
Tasks = Annotated[
    list[str],
    typer.Option(
        "--task", metavar="TASK", help="Examine this task's module again in any case; `answers`: the numbers."
    ),
]
Students = Annotated[
    list[str], typer.Option("--student", metavar="ID", help="Examine this student again in any case.")
]
Inbox = Annotated[
    str, typer.Option("--inbox", metavar="DIR", help="Where the submissions are; default assignments/inbox.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be examined again and why; run nothing.")
]
Workers = Annotated[
    int, typer.Option("--workers", min=0, help="Worker processes; 0: one per core if the class is large.")
]
Scheduler = Annotated[
    str, typer.Option("--scheduler", metavar="ADDRESS", help="Give the jobs to this Dask scheduler.")
]
Unprotected = Annotated[
    bool, typer.Option("--unprotected", help="Grade even where code cannot be confined (see doctor).")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the `llmlab` command."""

    @app.command(rich_help_panel=TEACHER)
    def regrade(
        lab: Lab,
        task: Tasks = [],  # noqa: B006  (typer copies it)
        student: Students = [],  # noqa: B006
        dry_run: DryRun = False,
        inbox: Inbox = "",
        course: CourseDir = "",
        workers: Workers = 0,
        scheduler: Scheduler = "",
        unprotected: Unprotected = False,
    ) -> None:
        """Grade again what a mended check touches, and report every changed grade.

        Scores and comments given by hand stay. The report is also in assignments/regrades. A stopped regrade
        goes on when it is started again, and still compares with the grades before the first start.

        \b
        llmlab regrade lab1 --dry-run               what would be examined again, and why
        llmlab regrade lab1                         after a check or its hidden cases were mended
        llmlab regrade lab1 --task decoding.top_p   this task's module again, for everybody
        llmlab regrade lab1 --student ada           all of one student again
        """
        how = {"crew": scheduler, "workers": workers, "unprotected": unprotected}
        raise typer.Exit(run(lab, task, student, dry_run, inbox, course, how))

    @app.command(rich_help_panel=TEACHER)
    def overview(lab: Lab, course: CourseDir = "") -> None:
        """Write a page about the class: distribution, hard questions, misconceptions, who is missing, what to
        look at.

        \b
        llmlab overview lab1
        """
        raise typer.Exit(show(lab, course))


def run(
    lab: str, tasks: list[str], students: list[str], dry: bool, inbox: str, where: str, how: dict[str, Any]
) -> int:
    """Regrade, or say what a regrade would do; 0. Raises Stop."""
    from llmlab.cli import instructor, names
    from llmlab.cli.console import Stop, console, say

    lab = names.lab(lab)
    folder = Path(inbox).expanduser() if inbox else None
    if folder is not None and not folder.is_dir():
        raise Stop(f"--inbox {inbox!r}: there is no such folder. Give the one that `llmlab grade` was given.")
    course = instructor._tools(where)[1]
    from llmlab.grading import regrade
    from llmlab.grading.places import desk

    if dry:
        at = instructor._call(desk, lab, course)
        jobs = {(job.student, job.file): job for job in instructor._call(regrade.chosen, at, tasks, students)}
        jobs |= {(job.student, job.file): job for job in instructor._call(regrade.due, at)}
        for job in jobs.values():
            say(f"{job.student}  {job.file}  {job.why}")
        say(f"{lab}: {len(jobs)} files would be examined again. Nothing was run.", "bold")
        return 0
    with console(stderr=True).status(f"grading {lab} again"):
        how |= {"tasks": tasks, "students": students, "inbox": folder, "progress": _progress}
        made = instructor._call(regrade.regrade, lab, course, **how)
    tell(made)
    return 0


def _progress(student: str, state: str, done: int, total: int) -> None:
    from llmlab.cli.console import say

    if state != "running":
        say(f"[{done}/{total}] {student}  {state}", "dim", stderr=True)


def tell(made: Regrade) -> None:
    """Print what changed, what stays, and where the report is."""
    from llmlab.cli.console import console, say

    if made.resumed:
        say(f"This went on with the regrade begun at {made.began}: changes are against the grades then.")
    changes = made.changes
    if changes.changed:
        console().print(table(made))
    fresh = [name for name, (old, _) in changes.totals.items() if old is None]
    if fresh:
        say(f"Graded for the first time: {', '.join(fresh)}.")
    for one in changes.kept:
        say(
            f"Kept: {one.student} {one.cell} has {one.score:g} points by hand; its verdict went from "
            f"{_points(one.verdict_before)} to {_points(one.verdict_after)}. Look at it in formgrader."
        )
    for job in made.left:
        say(f"Still due: {job.student} {job.file} ({job.why}): not in the inbox that was graded.", "yellow")
    say(
        f"{made.lab}: {made.examined} modules examined, {len(changes.changed)} grades changed, "
        f"{len({one.student for one in changes.changed})} students concerned.",
        "bold",
    )
    say(f"Report: {made.report} and .csv", "green")
    if changes.totals:
        say(f"Next: `llmlab feedback {made.lab}` and `llmlab export {made.lab}`.", "dim")


def table(made: Regrade) -> Table:
    """The changed grades: student, cell, points, why, total."""
    from rich.table import Table
    from rich.text import Text

    from llmlab.cli.console import plain
    from llmlab.grading.changes import WORDS
    from llmlab.grading.summary import short

    drawn = Table(title=f"{made.lab}: changed grades", title_justify="left", pad_edge=False)
    for name in ("student", "cell", "points", "total", "why"):
        right = name in ("points", "total")
        drawn.add_column(name, justify="right" if right else "left", no_wrap=name != "why")
    for one in made.changes.changed:
        old, new = made.changes.totals[one.student]
        drawn.add_row(
            Text(plain(one.student)),
            Text(plain(one.cell)),
            f"{_points(one.before)} → {one.after:g} of {one.max:g}",
            f"{_points(old)} → {new:g}",
            Text(
                plain(
                    f"{WORDS[one.cause]}\n- {short(one.why_before, 160) or 'nothing was said'}"
                    f"\n+ {short(one.why_after, 160) or 'nothing was said'}"
                )
            ),
        )
    return drawn


def _points(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def show(lab: str, where: str) -> int:
    """Write the page of a lab and print its path; 0."""
    from llmlab.cli import instructor, names
    from llmlab.cli.console import say

    course = instructor._tools(where)[1]
    from llmlab.grading.overview import overview

    say(f"Overview: {instructor._call(overview, names.lab(lab), course)}", "green")
    return 0
