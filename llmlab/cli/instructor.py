"""`llmlab release`, `grade`, `export`: the instructor's commands. All of the work is
`llmlab.grading.pipeline`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from llmlab.cli.console import Stop, console, say

if TYPE_CHECKING:
    from llmlab.grading.course import Course

GRADING = ("nbgrader", "nbformat", "nbconvert", "nbclient", "jupytext", "traitlets", "sqlalchemy")


def _tools(where: str) -> tuple[ModuleType, Course]:
    """The pipeline and the course repository. Raises Stop if either is missing."""
    from llmlab.grading.course import CourseError, course

    start = Path(where).expanduser() if where else None
    if start is not None and not start.is_dir():
        raise Stop(
            f"--course {where!r}: there is no such folder. Give the course repository (it holds "
            "solutions/ and "
            "assignments/)."
        )
    try:
        found = course(start)
    except CourseError as error:
        raise Stop(str(error)) from None
    if start is not None and not start.resolve().is_relative_to(found.root):
        raise Stop(f"--course {where!r} is not a course repository: it has no solutions/ and assignments/.")
    try:
        from llmlab.grading import pipeline
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in GRADING:
            raise
        raise Stop(
            f"Grading needs {missing}, which is not installed. In the course repository run `make env`, or "
            "`pip install 'llmlab[grading]'`."
        ) from None
    return pipeline, found


def _call(work: Callable, *args, **kwargs):
    """Call a step of the pipeline; what it knows to be wrong becomes one line."""
    from llmlab.grading.course import CourseError

    try:
        return work(*args, **kwargs)
    except CourseError as error:
        raise Stop(str(error), 1) from None


def release(lab: str, where: str) -> int:
    """Make the release of a lab, or of every lab that has a text; 0."""
    pipeline, course = _tools(where)
    from llmlab.grading.places import written

    for one in [lab] if lab else written(course):
        with console(stderr=True).status(f"releasing {one}"):
            made = _call(pipeline.release, one, course)
        say(f"Released: {made}", "green")
    say("Students get what lies there. `make student` packs it with the wheel.", "dim")
    return 0


def grade(lab: str, where: str, inbox: str, **how) -> int:
    """Grade a lab: a bar with the time left on a terminal, and a line for each result. 0."""
    folder = Path(inbox).expanduser() if inbox else None
    if folder is not None and not folder.is_dir():
        raise Stop(
            f"--inbox {inbox!r}: there is no such folder. It holds one folder for each student, "
            f"with {lab}/ in it."
        )
    pipeline, course = _tools(where)
    from llmlab.grading.progress import bar

    try:
        with bar(f"grading {lab}", console(stderr=True)) as progress:
            done = _call(pipeline.grade, lab, course, inbox=folder, progress=progress, **how)
    except KeyboardInterrupt:
        raise Stop(f"Stopped. What was graded is kept: `llmlab grade {lab}` goes on from there.", 130) from None
    say(str(done))
    say(f"Next: `llmlab overview {lab}`, `llmlab feedback {lab}` and `llmlab export {lab}`.", "dim")
    return 0


def export(lab: str, where: str) -> int:
    """Write the grades of a lab; 0."""
    pipeline, course = _tools(where)
    say(f"Grades: {_call(pipeline.export, lab, course)}", "green")
    return 0
