"""Pages of the `llmlab` command, made from the command itself.

    ```{commands} For students
    ```

makes a section for each command of that panel of `llmlab --help`: its first sentence, and what `llmlab COMMAND
--help` prints, 80 columns wide. `{commands} all` prints the help of `llmlab` alone. Nothing of it is copied by hand:
a command, an option or a word that changes in the program changes here with the next build. Every command has the
anchor `command-<name>` and an entry in the index.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

COLUMNS = 80
COLOUR = re.compile(r"\x1b\[[\d;]*m")


def application() -> typer.Typer:
    """The program with all of its commands."""
    from llmlab.cli.app import app

    return app


def panels() -> dict[str, list[str]]:
    """{panel of the help: its commands, in the order of the help}.

    >>> panels()["For students"][:3]
    ['start', 'update', 'check']
    """
    found: dict[str, list[str]] = {}
    for name, command in typer.main.get_command(application()).commands.items():
        if not command.hidden:
            found.setdefault(str(command.rich_help_panel), []).append(name)
    return found


def help_of(*command: str) -> str:
    """What `llmlab COMMAND... --help` prints in a terminal of 80 columns, without colours.

    >>> help_of("where").splitlines()[0].strip()
    'Usage: llmlab where [OPTIONS]'
    """
    from typer.testing import CliRunner

    runner = CliRunner(env={"COLUMNS": str(COLUMNS), "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"})
    done = runner.invoke(application(), [*command, "--help"], prog_name="llmlab")
    if done.exit_code != 0:
        raise ValueError(f"llmlab {' '.join(command)} --help ended with {done.exit_code}: {done.output}")
    lines = [line.rstrip() for line in COLOUR.sub("", done.output).splitlines()]
    return "\n".join(lines).strip("\n")


def shown(text: str) -> nodes.container:
    """A help text as it stands in the terminal."""
    return nodes.container("", nodes.literal_block(text, text, language="text"), classes=["help"])


class Commands(SphinxDirective):
    """The commands of one panel."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        for file in (Path(self.env.srcdir) / "llmlab" / "cli").glob("*.py"):
            self.env.note_dependency(str(file))
        panel = self.arguments[0]
        if panel == "all":
            return [shown(help_of())]
        there = panels()
        if panel not in there:
            raise self.error(f"commands: there is no panel {panel!r}; there are {', '.join(there)}")
        return [self.section(name) for name in there[panel]]

    def section(self, name: str) -> nodes.section:
        target = f"command-{name}"
        made = nodes.section(ids=[target], names=[target])
        self.state.document.note_explicit_target(made)
        title = nodes.title("", "", nodes.literal("", f"llmlab {name}"))
        entries = [
            ("single", f"llmlab {name}", target, "", None),
            ("single", f"command; llmlab {name}", target, "", None),
        ]
        made += [title, addnodes.index(entries=entries), shown(help_of(name))]
        return made


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
