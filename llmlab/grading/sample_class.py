"""Grades a class that nobody sat: submissions built by `sample_students`, then release, grade, feedback,
export, one lab after the other.

    python -m llmlab.grading.sample_class              every lab
    python -m llmlab.grading.sample_class lab2

The submissions are made anew from the solution, the mutants and the keys; every result comes from the
grader. A second run does only what changed. It works on any Linux without privileges. It never touches a
real class: it stops if the inbox holds submissions that it did not make.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from llmlab.grading import pipeline
from llmlab.grading.course import Course, CourseError, course
from llmlab.grading.database import gradebook_url
from llmlab.grading.ledger import MISSING, write_atomic
from llmlab.grading.nbgrader_api import StaleGradebook
from llmlab.grading.places import Desk, desk, written
from llmlab.grading.progress import bar, table
from llmlab.grading.sample_students import Maker, Submission, plan
from llmlab.grading.summary import Summary

SEED = 2026
MARK = ".sample-class"


def guard(at: Desk) -> None:
    """Raises CourseError if the inbox holds anything that is not this sample's."""
    if not gradebook_url(at.root).startswith("sqlite"):
        raise CourseError("The sample class writes a gradebook of its own: unset LLMLAB_GRADEBOOK, and take `gradebook` out of "
                          f"{at.root / 'course.toml'}, to see it.")
    theirs = (
        [entry.name for entry in at.inbox.iterdir() if not entry.name.startswith(".")]
        if at.inbox.is_dir()
        else []
    )
    if theirs and not (at.inbox / MARK).is_file():
        raise CourseError(
            f"{at.inbox} holds submissions that are not the sample's ({', '.join(sorted(theirs)[:3])}, ...). "
            f"Grade them with `llmlab grade {at.lab}`, or move them away to see the sample class."
        )


def start_over(at: Desk) -> None:
    """Remove what an older sample left behind. Only called on a marked inbox."""
    made = ("submitted", "autograded", "feedback", "ledger", "inbox", "arrivals", "overview", "regrades", "receipts",
            "quarantine", "exports")
    for name in made:
        shutil.rmtree(at.root / name, ignore_errors=True)
    for name in ("gradebook.db", "grades.csv", "gradebook.csv"):
        (at.root / name).unlink(missing_ok=True)


def release(where: Course, labs: list[str], console: Console) -> None:
    """Release the labs; a sample of an older text of one of them is dropped first, from all."""
    desks = [desk(lab, where) for lab in labs]
    for at in desks:
        guard(at)
    try:
        for at in desks:
            pipeline.release(at.lab, where)
    except StaleGradebook:
        if not (desks[0].inbox / MARK).is_file():
            raise
        console.print("A lab changed: the older sample class is removed.")
        start_over(desks[0])
        for at in desks:
            pipeline.release(at.lab, where)


def hand_in(at: Desk, submissions: list[Submission]) -> None:
    """Put the submissions into the inbox; files that are the same already stay as they are."""
    write_atomic(at.inbox / MARK, b"This inbox is filled by llmlab.grading.sample_class.\n")
    names = {one.student for one in submissions}
    for entry in at.inbox.iterdir():
        if entry.is_dir() and entry.name not in names:
            shutil.rmtree(entry / at.lab, ignore_errors=True)
            if not any(entry.iterdir()):
                entry.rmdir()
    for one in submissions:
        folder = at.inbox / one.student / at.lab
        folder.mkdir(parents=True, exist_ok=True)
        for entry in folder.iterdir():
            if entry.name not in one.files:
                entry.unlink()
        for name, content in one.files.items():
            if not (folder / name).is_file() or (folder / name).read_bytes() != content:
                write_atomic(folder / name, content)


def names_of(at: Desk) -> set[str]:
    """Who has a folder for this lab in the inbox."""
    return {entry.name for entry in at.inbox.iterdir() if (entry / at.lab).is_dir()}


def run(where: Course, seed: int = SEED, console: Console | None = None, lab: str = "lab1") -> Summary:
    """Release, hand in, grade, feedback, export. Raises CourseError."""
    console = console or Console(width=None if sys.stdout.isatty() else 120)
    at = desk(lab, where)
    release(where, [lab], console)
    hand_in(at, Maker(at, seed).all())
    with bar(f"grading {lab}", console) as progress:
        summary = pipeline.grade(lab, where, progress=progress, display=plan(lab).seen,
                                 unprotected=True)  # its students are ours
    with console.status("writing feedback"):
        pages = pipeline.feedback(lab, where)
    grades = pipeline.export(lab, where).parent / "exports" / lab / "grades.csv"
    absent = [row for row in summary.rows if row.status == MISSING and row.student not in names_of(at)]
    shown = summary
    if len(absent) > 3:
        shown = replace(summary, rows=tuple(row for row in summary.rows if row not in absent))
    console.print(table(shown))
    if shown is not summary:
        console.print(f"{len(absent)} others of the class list handed in nothing for {lab}.")
    console.print(
        f"{summary.examined} modules examined and {summary.recorded} submissions recorded in this run."
    )
    for label, path in (("gradebook", at.root / "gradebook.db"), ("feedback", pages), ("grades", grades)):
        console.print(f"  {label:<10} {path.relative_to(where.root)}", soft_wrap=True, highlight=False)
    return summary


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m llmlab.grading.sample_class", description="Grade a sample class."
    )
    parser.add_argument("labs", nargs="*", metavar="LAB", help="only these labs (default: every one that has a text)")
    parser.add_argument("--seed", type=int, default=SEED, help="which sample (default %(default)s)")
    options = parser.parse_args(argv)
    began = time.monotonic()
    try:
        where = course()
        labs = options.labs or written(where)
        release(where, labs, Console())
        for lab in labs:
            run(where, options.seed, lab=lab)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. What was graded is kept; run the same command again to go on.", file=sys.stderr)
        return 130
    print(f"The sample class took {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
