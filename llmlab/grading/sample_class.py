"""Grades a class that nobody sat: submissions built by `sample_students`, then release, grade, feedback,
export.

    python -m llmlab.grading.sample_class

The submissions are made anew from the solution, the mutants and the keys; every result comes from the
grader. A second run does only what changed. It works on any Linux without privileges. It never touches a
real class: it stops if the inbox holds submissions that it did not make.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from llmlab.grading import pipeline
from llmlab.grading.course import Course, CourseError, course
from llmlab.grading.database import gradebook_url
from llmlab.grading.ledger import write_atomic
from llmlab.grading.nbgrader_api import StaleGradebook
from llmlab.grading.places import Desk, desk
from llmlab.grading.progress import bar, table
from llmlab.grading.sample_students import Maker, Submission
from llmlab.grading.summary import Summary

LAB, SEED = "lab1", 2026
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


def release(at: Desk, console: Console) -> Path:
    """Release the lab; a sample of an older text of the lab is dropped first."""
    try:
        return pipeline.release(at.lab, at.course)
    except StaleGradebook:
        if not (at.inbox / MARK).is_file():
            raise
        console.print("The lab changed: the older sample class is removed.")
        start_over(at)
        return pipeline.release(at.lab, at.course)


def hand_in(at: Desk, submissions: list[Submission]) -> None:
    """Put the submissions into the inbox; files that are the same already stay as they are."""
    write_atomic(at.inbox / MARK, b"This inbox is filled by llmlab.grading.sample_class.\n")
    names = {one.student for one in submissions}
    for entry in at.inbox.iterdir():
        if entry.is_dir() and entry.name not in names:
            shutil.rmtree(entry)
    for one in submissions:
        folder = at.inbox / one.student / at.lab
        folder.mkdir(parents=True, exist_ok=True)
        for entry in folder.iterdir():
            if entry.name not in one.files:
                entry.unlink()
        for name, content in one.files.items():
            if not (folder / name).is_file() or (folder / name).read_bytes() != content:
                write_atomic(folder / name, content)


def run(where: Course, seed: int = SEED, console: Console | None = None) -> Summary:
    """Release, hand in, grade, feedback, export. Raises CourseError."""
    console = console or Console(width=None if sys.stdout.isatty() else 120)
    at = desk(LAB, where)
    guard(at)
    release(at, console)
    hand_in(at, Maker(at, seed).all())
    with bar("grading", console) as progress:
        summary = pipeline.grade(LAB, where, progress=progress, unprotected=True)  # its students are ours
    with console.status("writing feedback"):
        pages = pipeline.feedback(LAB, where)
    grades = pipeline.export(LAB, where)
    console.print(table(summary))
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
    parser.add_argument("--seed", type=int, default=SEED, help="which sample (default %(default)s)")
    options = parser.parse_args(argv)
    began = time.monotonic()
    try:
        run(course(), options.seed)
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
