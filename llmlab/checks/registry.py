"""Finds checks by name: "decoding", "decoding.top_p". A wrong name says what there is."""

from __future__ import annotations

import difflib
import importlib
from types import ModuleType

from llmlab._finder import LAB_MODULES
from llmlab.checks.protocol import Task


class UnknownName(LookupError):
    """There is no such module or task; the message lists what there is."""

    def __str__(self) -> str:
        return str(self.args[0])


def checks_of(module: str) -> ModuleType:
    """The check module (TASKS, cases, judge) of a lab module. Raises UnknownName."""
    if module not in LAB_MODULES:
        raise UnknownName(_unknown("lab module", module, LAB_MODULES))
    return importlib.import_module(f"llmlab.checks.{module}")


def tasks(name: str = "") -> list[Task]:
    """The tasks of everything (""), of a module ("decoding"), or one task ("decoding.top_p"). Raises UnknownName."""
    if not name:
        return [task for module in LAB_MODULES for task in checks_of(module).TASKS]
    module, _, function = name.partition(".")
    found = list(checks_of(module).TASKS)
    if not function:
        return found
    chosen = [task for task in found if task.function == function]
    if not chosen:
        raise UnknownName(_unknown("task", name, [task.id for task in found]))
    return chosen


def _unknown(what: str, name: str, known) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"There is no {what} {name!r}.{hint} There are: {', '.join(known)}."
