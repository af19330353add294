"""`llmlab feedback`, with the choice of how much a page tells. The work is `llmlab.grading.feedback`'s."""

from __future__ import annotations

from typing import Annotated

import typer

Lab = Annotated[str, typer.Argument(metavar="LAB", help="A lab, such as lab1.")]
CourseDir = Annotated[
    str, typer.Option("--course", metavar="DIR", help="The course repository, if it is not around here.")
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="For instructors")(feedback)


def feedback(
    lab: Lab,
    show: Annotated[
        str,
        typer.Option(
            "--show", metavar="LEVEL", help="full, actual or none; default: what course.toml says, else full."
        ),
    ] = "",
    course: CourseDir = "",
) -> None:
    """Write the feedback page of every graded submission. Nothing is graded again.

    LEVEL says how much a page tells of the hidden cases. full: message, input, expected and got. actual: the
    message without expected values, and got. none: points and the section to read. A lab's usual level stands
    in assignments/course.toml: [feedback] show = "actual".

    \b
    llmlab feedback lab1
    llmlab feedback lab1 --show none
    """
    from llmlab.cli import instructor, names
    from llmlab.cli.console import console, say

    name = names.lab(lab)
    pipeline, found = instructor._tools(course)
    with console(stderr=True).status(f"writing the feedback of {name}"):
        made = instructor._call(pipeline.feedback, name, found, show=show)
    say(f"Feedback: {made}", "green")
