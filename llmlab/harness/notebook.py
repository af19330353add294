"""`llmlab.check("decoding.top_p")` in a notebook cell: the table for the student, and the score as the cell's value.

It checks the saved file, and says so when the running notebook still holds an older version of it.
"""

from __future__ import annotations

import atexit
import importlib
import sys

from llmlab._finder import LabModuleError, find
from llmlab.checks.registry import UnknownName
from llmlab.harness.reading import link
from llmlab.harness.report import Report
from llmlab.harness.runner import Harness

_harness: Harness | None = None


class Score(float):
    """Points earned; its repr is the plain number, which is what nbgrader reads as partial credit."""

    def __repr__(self) -> str:
        return f"{float(self):g}"


def warm() -> Harness:
    """The harness of this process, started on first use and closed at exit."""
    global _harness
    if _harness is None:
        _harness = Harness()
        atexit.register(_harness.close)
    return _harness


def stale(module: str) -> str:
    """A sentence if the imported module is not the saved file any more, else ""."""
    loaded = getattr(sys.modules.get(f"llmlab.{module}"), "__llmlab_hash__", None)
    if loaded is None or loaded == find(module).digest():
        return ""
    return (f"This notebook still runs an older llmlab.{module} ({loaded}). The check tests the saved file. "
            f'Run llmlab.reload("{module}") to use the saved file in the notebook too.')


def reload(module: str):
    """Import the saved file of a lab module anew, and return the module. Names imported `from` it must be imported again."""
    find(module)
    name = f"llmlab.{module}"
    return importlib.reload(sys.modules[name]) if name in sys.modules else importlib.import_module(name)


def lines(report: Report) -> list[str]:
    """The report as lines of text: file and hash, a line per task, then the first failure of each."""
    out = [f"{report.path} ({report.hash})"]
    for task in report.tasks:
        out.append(f"  {'ok ' if task.status == 'ok' else '-- '} {task.earned:g}/{task.points:g}  {task.id}: {task.title}")
    for task in report.tasks:
        if task.failure:
            out += ["", task.failure.text(), f"  read      {link(task.read) or task.read}"]
            if task.failure.printed:
                out.append(f"  printed   {task.failure.printed}")
    return out


def check(name: str) -> Score | None:
    """Check a module or a task of the saved file, print what was found, and return the points earned.

    A wrong name, or a missing file, is told in one line, without a traceback.
    """
    try:
        reports = warm().check(name)
    except (UnknownName, LabModuleError) as error:
        print(error)
        return None
    for report in reports:
        note = stale(report.module)
        print("\n".join(([note] if note else []) + lines(report)))
    return Score(sum(report.earned for report in reports))
