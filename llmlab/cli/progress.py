"""`llmlab progress`: how far a workspace is, from remembered verdicts. It runs nothing; stale verdicts are
marked.
"""

from __future__ import annotations

import time
from pathlib import Path

from rich.table import Table
from rich.text import Text

from llmlab._finder import LabModuleError, find, workspace
from llmlab.cli import names, results
from llmlab.cli.console import Stop, console, marks, say
from llmlab.cli.names import LABS
from llmlab.cli.render import WORDS


def ago(seconds: float) -> str:
    """A span of time in words.

    >>> ago(7_300)
    '2 h ago'
    """
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def bar(earned: float, points: float, width: int, signs: dict[str, str]) -> str:
    """A bar that is full only when all points are there, and empty only when none are."""
    filled = int(width * earned / points) if points else 0
    if earned > 0:
        filled = max(1, filled)
    return signs["bar"] * filled + signs["rest"] * (width - filled)


def show() -> int:
    """Print the bars; 0."""
    root = workspace()
    if root is None:
        raise Stop(
            "There is no llmlab.toml here or above, so there is no workspace whose progress "
            "could be shown. Go to "
            "yours, or make one with `llmlab start DIR`."
        )
    from llmlab.checks import registry  # torch: the points of a task are said there

    last = results.recall(root)
    to = console()
    signs = marks(to)
    width = 24 if to.width >= 80 else 10
    grid = Table(box=None, show_header=False, padding=(0, 1))
    for justify in ("left", "left", "right", "left"):
        grid.add_column(justify=justify)
    stale = []
    for lab in names.here():
        modules = LABS[lab]
        rows, total = [], [0.0, 0.0]
        for module in modules:
            digest = _digest(module)
            tasks = registry.tasks(module)
            known = {task.id: last[task.id] for task in tasks if task.id in last}
            earned = sum(min(one.earned, one.points) for one in known.values())
            points = sum(task.points for task in tasks)
            old = sorted(task for task, one in known.items() if one.hash != digest)
            stale += old
            total = [total[0] + earned, total[1] + points]
            rows.append(
                (
                    f"  {module}",
                    Text(bar(earned, points, width, signs), "green"),
                    f"{earned:g}/{points:g}",
                    Text(
                        _note(module, digest, known, old, len(tasks)),
                        "yellow" if old or not digest else "dim",
                    ),
                )
            )
        grid.add_row(
            Text(lab, "bold"), Text(bar(*total, width, signs), "bold green"), f"{total[0]:g}/{total[1]:g}", ""
        )
        for row in rows:
            grid.add_row(*row)
    to.print(grid)
    for task, one in sorted(last.items()):
        if one.status not in ("ok", "not-written") and task not in stale:
            say(f"  {signs['bad']} {task}: {WORDS.get(one.status, (one.status,))[0]}", "red")
    if stale:
        say("Stale: the file was changed after the check. Run `llmlab check` for a fresh verdict.", "yellow")
    elif not last:
        say("Nothing was checked here yet. Run `llmlab check`.", "dim")
    return 0


def _digest(module: str) -> str:
    try:
        return find(module).digest()
    except LabModuleError:
        return ""


def _note(module: str, digest: str, known: dict, old: list[str], tasks: int) -> str:
    if not digest:
        return f"{Path(find(module).path).name} is missing"
    if not known:
        return "not checked yet"
    when = ago(time.time() - max(one.when for one in known.values()))
    if old:
        return f"stale: {len(old)} of {tasks} verdicts are about an older version"
    return f"checked {when}" + (
        f", {tasks - len(known)} of {tasks} tasks not yet" if len(known) < tasks else ""
    )
