"""`llmlab export-as`, `similarity`, `receipts`, `publish-solutions`, `harness-folder`: what leaves the
course repository. The work is `llmlab.grading`'s.
"""

from __future__ import annotations

from typing import Annotated

import typer

from llmlab.cli.app import CourseDir, Lab

PANEL = "For instructors"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for name, command in {
        "export-as": export_as,
        "similarity": similarity,
        "receipts": receipts,
        "publish-solutions": publish_solutions,
        "harness-folder": harness_folder,
    }.items():
        app.command(name, rich_help_panel=PANEL)(command)


def export_as(
    form: Annotated[
        str,
        typer.Argument(metavar="FORMAT", help="generic, canvas, moodle, gradescope, junit or classroom."),
    ],
    lab: Lab,
    out: Annotated[
        str, typer.Option("--out", metavar="PATH", help="Where to; default assignments/exports/LAB/.")
    ] = "",
    id_column: Annotated[
        str,
        typer.Option("--id-column", metavar="NAME", help="Canvas: sis-user (default), sis-login or canvas."),
    ] = "",
    assignment_id: Annotated[
        str, typer.Option("--assignment-id", metavar="NUMBER", help="Canvas: the number in its address.")
    ] = "",
    worksheet: Annotated[
        str,
        typer.Option("--worksheet", metavar="CSV", help="Moodle: a downloaded grading worksheet to fill in."),
    ] = "",
    course: CourseDir = "",
) -> None:
    """Write the grades of a lab for another system. Nothing is uploaded.

    \b
    llmlab export-as canvas lab1 --assignment-id 48213
    llmlab export-as moodle lab1 --worksheet ~/Downloads/Grades-lab1.csv
    llmlab export-as gradescope lab1            one results.json for each student
    llmlab export-as classroom lab1             the GitHub Classroom workflow
    """
    from llmlab.cli import instructor, names
    from llmlab.cli.console import say

    name = names.lab(lab)
    _, found = instructor._tools(course)
    from llmlab.grading import exports

    made = instructor._call(
        exports.write,
        form,
        name,
        found,
        out or None,
        id_column=id_column,
        assignment_id=assignment_id,
        worksheet=worksheet,
    )
    say(f"Written: {made}", "green")


def similarity(
    lab: Lab,
    threshold: Annotated[
        float, typer.Option("--threshold", metavar="SHARE", help="List pairs from this share of code on.")
    ] = 0.6,
    course: CourseDir = "",
) -> None:
    """Show pairs of submissions whose modules share much code. A flag only: no grade changes.

    \b
    llmlab similarity lab1
    llmlab similarity lab1 --threshold 0.8
    """
    from llmlab.cli import instructor, names
    from llmlab.cli.console import say

    name = names.lab(lab)
    _, found = instructor._tools(course)
    from llmlab.grading import similarity as work

    file, pairs = instructor._call(work.similarity, name, found, threshold)
    for line in work.report(name, pairs).splitlines():
        say(line)
    say(f"Written: {file}", "dim")


def receipts(lab: Lab, course: CourseDir = "") -> None:
    """Write a receipt for each student: hashes of what arrived, when, and of what was graded.

    \b
    llmlab receipts lab1
    """
    from llmlab.cli import instructor, names
    from llmlab.cli.console import say

    name = names.lab(lab)
    _, found = instructor._tools(course)
    from llmlab.grading import acknowledgements

    made = instructor._call(acknowledgements.acknowledge, name, found)
    say(f"Receipts: {len(made)} in {made[0].parent}", "green")


def publish_solutions(
    lab: Lab,
    force: Annotated[
        bool, typer.Option("--force", help="Also before the last deadline, or without one.")
    ] = False,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Also fill in the right values of the numeric questions.")
    ] = False,
    course: CourseDir = "",
) -> None:
    """Pack the solved modules and notebook into dist/LAB-solutions, once nobody has time left.

    Hidden cases and keys stay here. Refuses before the last extension has passed, and says whose it is.

    \b
    llmlab publish-solutions lab1
    """
    from llmlab.cli import instructor, names
    from llmlab.cli.console import say

    name = names.lab(lab)
    _, found = instructor._tools(course)
    from llmlab.grading import publishing

    folder, notes = instructor._call(publishing.publish, name, found, force, numbers)
    for note in notes:
        say(f"! {note}", "yellow")
    say(f"Solutions: {folder} and {folder.name}.zip", "green")


def harness_folder(
    lab: Lab,
    system: Annotated[str, typer.Option("--for", metavar="SYSTEM", help="gradescope.")] = "gradescope",
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where to; default dist/LAB-SYSTEM.")] = "",
    course: CourseDir = "",
) -> None:
    """Make the folder with which another system grades this lab: setup.sh, run_autograder, and a zip of it.

    It holds the hidden cases. Give it to the system, to nobody else.

    \b
    llmlab harness-folder lab1 --for gradescope --out gradescope-lab1
    """
    from llmlab.cli import instructor, names
    from llmlab.cli.console import say

    name = names.lab(lab)
    _, found = instructor._tools(course)
    from llmlab.grading import harness_folder as work

    folder = instructor._call(work.make, name, found, system, out)
    say(f"Harness: {folder} and {folder.name}.zip", "green")
    say("It holds the hidden cases: upload the zip as the autograder, and give it to nobody.", "dim")
