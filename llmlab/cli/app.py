"""The commands, their options and their help. What they do is in the other files of this folder, imported
when needed.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from llmlab._finder import LabModuleError
from llmlab.cli.console import Stop, console, plain, say

app = typer.Typer(
    name="llmlab",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
STUDENT, TEACHER = "For students", "For instructors"
Lab = Annotated[str, typer.Argument(metavar="LAB", help="A lab, such as lab1.")]
CourseDir = Annotated[
    str, typer.Option("--course", metavar="DIR", help="The course repository, if it is not around here.")
]


def _version(wanted: bool) -> None:
    if wanted:
        from llmlab import __version__

        say(f"llmlab {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """How language models generate text: fill in the modules, check them, hand them in.

    [bold]A first day:[/bold]

    \b
    llmlab start my-labs        make a folder to work in
    cd my-labs
    llmlab check                see what is right, what is wrong, and what to read
    llmlab check --watch        the same at every save
    llmlab submit lab1          pack what you hand in
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(rich_help_panel=STUDENT)
def start(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The folder to make or to complete.")],
    labs: Annotated[
        list[str] | None, typer.Argument(metavar="[LAB]...", help="Only these labs; all by default.")
    ] = None,
) -> None:
    """Make a workspace: modules to fill in, the notebooks of released labs, llmlab.toml.

    Never overwrites a file. In a workspace it adds only what is missing.

    \b
    llmlab start my-labs
    llmlab start my-labs lab2   only this lab
    """
    from llmlab.cli import names, spoken, workspace

    root, changes = workspace.start(folder, [names.lab(lab) for lab in labs or []])
    spoken.started(root, changes)


@app.command(rich_help_panel=STUDENT)
def update(
    labs: Annotated[list[str] | None, typer.Argument(metavar="[LAB]...", help="Labs to add to this workspace.")] = None,
) -> None:
    """Bring in new versions of modules and notebooks. Your work is never overwritten.

    A file you have not touched is replaced. Beside one you have changed, the new version is written as
    NAME.new.

    \b
    llmlab update
    llmlab update lab3          add this lab too
    """
    from llmlab.cli import names, spoken, workspace

    root, changes = workspace.update([names.lab(lab) for lab in labs or []])
    spoken.updated(root, changes)


@app.command(rich_help_panel=STUDENT)
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[LAB|MODULE[.TASK]]...", help="What to check; all by default.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Check again at every save, until Ctrl-C.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every failure in full.")] = False,
) -> None:
    """Check the saved files: points, status, first failure, what to read.

    Without a name: the modules of this workspace; those not begun yet, or missing, are named in one line.
    Exit code 0: all right. 1: something is wrong or not written yet. 2: what was named is missing.

    \b
    llmlab check                        what you have begun
    llmlab check lab2                   the modules of one lab
    llmlab check decoding               one module
    llmlab check decoding.top_p         one task, with every failure in full
    llmlab check decoding --watch       again at every save
    """
    from llmlab.cli import checking

    raise typer.Exit(checking.check(names or [], watch, verbose))


@app.command(rich_help_panel=STUDENT)
def where() -> None:
    """Show which file each module comes from, its hash, and the rule that chose it.

    \b
    llmlab where
    LLMLAB_CODE=../other llmlab where
    """
    from llmlab.cli import spoken

    raise typer.Exit(spoken.where())


@app.command(rich_help_panel=STUDENT)
def progress() -> None:
    """Show how far you are: a bar for each lab and module, from the last checks of this workspace.

    A verdict about an older version of a file is marked as stale: check again.

    \b
    llmlab progress
    """
    from llmlab.cli import progress

    raise typer.Exit(progress.show())


@app.command(rich_help_panel=STUDENT)
def submit(lab: Lab) -> None:
    """Pack modules and notebook of a lab into submissions/LAB and a zip, with a receipt.

    Packs what there is, says what is missing or unusual, and runs nothing. Exit code 1 if something is
    missing.

    \b
    llmlab submit lab1
    """
    from llmlab.cli import names, submit

    raise typer.Exit(submit.run(names.lab(lab)))


@app.command(rich_help_panel=STUDENT)
def doctor() -> None:
    """Examine the installation: versions, models, the helper process, and what can contain a student's code.

    Exit code 1 if something is missing that checking needs.

    \b
    llmlab doctor
    """
    from llmlab.cli import doctor

    raise typer.Exit(doctor.run())


@app.command(rich_help_panel=TEACHER)
def release(
    lab: Annotated[str, typer.Argument(metavar="[LAB]", help="A lab, such as lab1; all by default.")] = "",
    course: CourseDir = "",
) -> None:
    """Make what students receive: the notebook without solutions, and the modules to fill in.

    \b
    llmlab release lab1
    llmlab release              every lab
    """
    from llmlab.cli import instructor, names

    raise typer.Exit(instructor.release(names.lab(lab) if lab else "", course))


@app.command(rich_help_panel=TEACHER)
def grade(
    lab: Lab,
    inbox: Annotated[
        str,
        typer.Option(
            "--inbox", metavar="DIR", help="Submissions as DIR/STUDENT/LAB/; default assignments/inbox."
        ),
    ] = "",
    course: CourseDir = "",
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Worker processes; 0: one for each core if the class is large.")
    ] = 0,
    scheduler: Annotated[
        str, typer.Option("--scheduler", metavar="ADDRESS", help="Give the jobs to this Dask scheduler, tls://host:8786.")
    ] = "",
    display: Annotated[
        bool, typer.Option("--display/--no-display", help="Also run the notebooks' cells, for their figures.")
    ] = True,
    unprotected: Annotated[
        bool, typer.Option("--unprotected", help="Grade even where students' code cannot be confined (see doctor).")
    ] = False,
) -> None:
    """Grade every submission of a lab. What is graded already and unchanged is not run again.

    Stop it with Ctrl-C at any moment; the same command goes on where it was.

    \b
    llmlab grade lab1
    llmlab grade lab1 --inbox ~/downloads/lab1
    llmlab grade lab1 --scheduler tls://host:8786      on other machines too
    """
    from llmlab.cli import instructor, names

    how = {"crew": scheduler, "workers": workers, "display": display, "unprotected": unprotected}
    raise typer.Exit(instructor.grade(names.lab(lab), course, inbox, **how))


@app.command(rich_help_panel=TEACHER)
def export(lab: Lab, course: CourseDir = "") -> None:
    """Write the grades of a lab as grades.csv.

    \b
    llmlab export lab1
    """
    from llmlab.cli import instructor, names

    raise typer.Exit(instructor.export(names.lab(lab), course))


def _more() -> None:
    """The instructor's other commands; each file imports its work when it is called."""
    from llmlab.cli import collecting_commands, exporting_commands, feedback_commands, regrading_commands

    for commands in (collecting_commands, regrading_commands, feedback_commands, exporting_commands):
        commands.register(app)


_more()


def run(argv: list[str]) -> int:
    """Run a command line; its exit code. A person's mistake is told in one line on stderr, without a
    traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows ?, and goes on
    try:
        return app(argv, prog_name="llmlab", standalone_mode=False) or 0
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "llmlab"
        return _told(f"{error.format_message()} Help: `{path} --help`.", 2)
    except Stop as stop:
        return _told(str(stop), stop.code)
    except LabModuleError as error:
        return _told(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _told("Stopped.", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader left, as `| head` does
        return 1
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        return _told(f"{what}{error.strerror or error}. Check the name, the rights and the free space.", 2)
    except Exception as error:  # a defect of llmlab itself: said in one line, whole on request
        if os.environ.get("LLMLAB_DEBUG"):
            raise
        return _told(
            f"llmlab itself failed: {type(error).__name__}: {error}. This is not your mistake; "
            "please report it "
            "with the output of the same command after `LLMLAB_DEBUG=1`.",
            3,
        )


def _told(message: str, code: int) -> int:
    from rich.text import Text

    to = console(stderr=True)
    to.print(Text.assemble(("llmlab: ", "bold red"), plain(" ".join(message.split()))), soft_wrap=True)
    return code
