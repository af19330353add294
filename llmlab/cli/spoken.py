"""What `start`, `update` and `where` say when they are done."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

from llmlab._finder import LABS, LabModuleError, find, workspace
from llmlab.cli import names
from llmlab.cli.console import console, plain, say
from llmlab.cli.workspace import Changes


def _list(words: str, names: list[str], style: str) -> None:
    if names:
        say(f"{words}: {', '.join(names)}", style)


def _common(changes: Changes) -> None:
    _list("written", changes.written, "green")
    _list("replaced by a new version (you had not changed it)", changes.replaced, "green")
    _list("left as you have it", changes.kept, "dim")
    for name in changes.beside:
        old = name.rpartition(".new")[0]
        say(
            f"{old} has your work in it and was left alone. The new version is beside it: "
            f"{name}. Take over what you "
            f"need, then delete {name}.",
            "yellow",
        )
    for note in changes.notes:
        say(note, "yellow")


def started(root: Path, changes: Changes) -> None:
    """After `llmlab start`."""
    _common(changes)
    if not changes.written:
        say(
            f"{root} is a workspace already and has everything; nothing was changed. `llmlab "
            "update` brings in new versions."
        )
    elif not any(name.endswith(".ipynb") for name in (*changes.written, *changes.kept)) and not list(
        root.glob("*.ipynb")
    ):
        say(
            "No lab notebook is released in this installation yet; `llmlab update` brings it in when it is.",
            "dim",
        )
    say(f"Workspace: {root}", "bold")
    first = next((name for name in changes.written if name.endswith(".py")), "a module")
    say(f"Next: go there, run `llmlab check`, open {first} and write the first function.")


def updated(root: Path, changes: Changes) -> None:
    """After `llmlab update`."""
    _common(changes)
    if not (changes.written or changes.replaced or changes.beside):
        say(f"{root}: nothing new.")


def where() -> int:
    """The table of `llmlab where`, for the labs of this workspace; 2 if a file is missing, else 0."""
    to, missing, labs = console(), [], names.here()
    grid = Table(box=None, header_style="dim", padding=(0, 1))
    for column in ("module", "hash", "chosen by", "path"):
        grid.add_column(column, overflow="fold", no_wrap=column in ("module", "hash"))
    lines = []
    for module in (module for lab in labs for module in LABS[lab]):
        found = find(module)
        try:
            digest = Text(found.digest(), "cyan")
        except LabModuleError as error:
            digest = Text("missing", "red")
            missing.append(str(error))
        lines.append((module, digest, plain(found.origin), plain(str(found.path))))
    if to.is_terminal and to.width >= 60:
        for row in lines:
            grid.add_row(*row)
        to.print(grid)
    else:  # one line each, whole, for a pipe
        for module, digest, origin, path in lines:
            say(f"{module}  {digest.plain}  {path}  (chosen by {origin})")
    for message in missing:
        say(message, "red")
    if others := [lab for lab in LABS if lab not in labs]:
        say(f"Not here: {', '.join(others)}. `llmlab update {others[0]}` adds one.", "dim")
    if workspace() is None:
        say(
            "You are not in a workspace: there is no llmlab.toml here or above. `llmlab start "
            "DIR` makes one.",
            "dim",
        )
    return 2 if missing else 0
