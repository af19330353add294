"""What a worker does: examines one module, or runs one notebook for display. An order goes in, a record comes out.

An order is a dict of names, numbers, bytes and lists of them, and holds everything its job needs: a worker may be another
process or another machine, and sees neither the course nor the gradebook. A worker is trusted; student code runs in confined
processes that it starts. It never writes the ledger.
"""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path
from typing import Any

import torch

from llmlab._finder import LAB_MODULES
from llmlab.checks import registry
from llmlab.checks.protocol import Case
from llmlab.grading import hidden
from llmlab.grading.ledger import CRASHED, GRADED, MEMORY, TIMEOUT, UNREADABLE, digest
from llmlab.harness.report import Report, TaskResult
from llmlab.harness.runner import Harness
from llmlab.harness.sandbox import ESSENTIAL
from llmlab.harness.wire import Closed

MODULE, DISPLAY = "module", "display"
DISPLAY_ONLY = ("notebook", "reading")
"""Files of the harness that only show verdicts."""

Order = dict[str, Any]
Record = dict[str, Any]


class Refused(RuntimeError):
    """This worker must not do the job; the message says why and what to do. It crosses to the scheduler."""


def check_version(module: str) -> str:
    """A hash of everything that decides a verdict on `module`: its check, what all checks share, the harness, torch."""
    package = Path(registry.__file__).parent
    own = [file for file in package.rglob("*.py") if file.relative_to(package).parts[0].removesuffix(".py") == module]
    shared = [file for file in package.glob("*.py") if file.stem not in LAB_MODULES and file.stem != "answers"]
    folder = package.parent / "harness"
    harness = [file for file in folder.rglob("*.py")
               if file.stem not in DISPLAY_ONLY and file.relative_to(folder).parts[0] != "display"]
    files = sorted({*own, *shared, *harness})
    return digest(torch.__version__, *[part for file in files for part in (file.name, file.read_bytes())])


def module_order(module: str, source: bytes, hidden_source: bytes, tasks: list[str], version: str, unprotected: bool) -> Order:
    """Examine `source` as this module: these tasks, with these hidden cases, by this version of the check."""
    return {"kind": MODULE, "module": module, "source": source, "hidden": hidden_source, "tasks": tasks, "version": version,
            "unprotected": unprotected}


def display_order(modules: dict[str, bytes], cells: list[dict[str, str]], unprotected: bool) -> Order:
    """Run these cells on these modules, to be looked at."""
    return {"kind": DISPLAY, "modules": modules, "cells": cells, "unprotected": unprotected}


class Worker:
    """Keeps warm processes and hidden cases between jobs. Several threads may call `do`."""

    def __init__(self):
        self.lock, self.display_lock, self.stopped = threading.Lock(), threading.Lock(), False
        self._harness: Harness | None = None
        self._display: Any = None
        self._proven: set[str] = set()
        self._cases: dict[str, list[Case]] = {}
        gc.collect()
        gc.freeze()  # torch and the rest stay; collections between the cases need not look at them
        self._versions = {module: check_version(module) for module in LAB_MODULES}  # of the files as they are now loaded

    def do(self, order: Order) -> Record:
        """The record of a job. Raises Refused; whatever a student does becomes a record."""
        return self.show(order) if order["kind"] == DISPLAY else self.examine(order)

    def close(self) -> None:
        """Stop the warm processes and every candidate in them; what still runs then gives a result not to be kept."""
        with self.lock:
            self.stopped = True
            for held in (self._harness, self._display):
                if held is not None:
                    held.close()
            self._harness = self._display = None

    def harness(self, order: Order) -> Harness:
        """The warm harness, once it is known to confine what it forks."""
        with self.lock:
            if self._harness is None:
                self._harness = Harness()
            self._prove(self._harness.starter, order)
            return self._harness

    def _prove(self, starter: Any, order: Order) -> None:
        """Raises Refused if a fork of this starter can do what it must not, unless the order allows that."""
        if order["unprotected"] or starter.runtime in self._proven:
            return
        missing = [name for name in ESSENTIAL if not starter.protections().get(name)]
        if missing:
            raise Refused(f"This machine does not keep students' code from {', '.join(missing)}. `llmlab doctor` tells what is "
                          "missing. To grade all the same, pass --unprotected.")
        self._proven.add(starter.runtime)

    def cases(self, module: str, source: bytes) -> list[Case]:
        """The hidden cases that this source makes, expected values included; made once."""
        with self.lock:
            key = digest(module, source)
            if key not in self._cases:
                self._cases[key] = hidden.made(module, source)
            return self._cases[key]

    def examine(self, order: Order) -> Record:
        """The ledger's record of a module, without its key. A job whose warm process died is repeated once, alone."""
        module, began = order["module"], time.monotonic()
        if self._versions[module] != order["version"]:
            raise Refused("a worker has another version of llmlab or torch than the one that gives out the jobs: install the same "
                          "on all machines and restart the workers")
        harness = self.harness(order)
        try:
            report = self._check(harness, order)
            if harness.starter.process is not None and harness.starter.process.poll() is not None:
                raise Closed("the warm process ended")
        except Closed:
            with self.lock:
                if self._harness is harness:
                    self._harness = None
                    harness.close()
            report = self._alone(order)
        if report is None:
            status, reason = CRASHED, f"{module}.py ended the process that checks it, twice"
        else:
            status, reason = outcome(report)
        return {"status": status, "reason": reason, "seconds": round(time.monotonic() - began, 2),
                "report": report.to_json() if report else None}

    def _check(self, harness: Harness, order: Order) -> Report:
        module = order["module"]
        mine = [task for task in registry.tasks(module) if task.id in order["tasks"]]
        return harness.check_source(module, order["source"], f"{module}.py", mine, self.cases(module, order["hidden"]),
                                    registry.checks_of(module))

    def _alone(self, order: Order) -> Report | None:
        """In a warm process of its own, so that only its own deeds count."""
        if self.stopped:
            return None
        with Harness() as harness:
            try:
                report = self._check(harness, order)
                return report if harness.starter.process.poll() is None else None
            except Closed:
                return None

    def show(self, order: Order) -> Record:
        """{"seconds", "outputs"} of a notebook's cells."""
        from llmlab.grading.display import Display

        with self.display_lock:
            if self._display is None:
                self._display = Display()
            self._prove(self._display.starter(), order)
        began = time.monotonic()
        outputs = self._display.outputs(order["modules"], order["cells"])
        return {"seconds": round(time.monotonic() - began, 2), "outputs": outputs}


def out_of_memory(task: TaskResult) -> bool:
    return any(group.failure is not None and group.failure.got == "MemoryError" for group in task.groups)


def outcome(report: Report) -> tuple[str, str]:
    """The job's status in the ledger, and one line on what went wrong ("" if nothing did)."""
    kinds = {task.status for task in report.tasks} | ({MEMORY} if any(map(out_of_memory, report.tasks)) else set())
    status = next((kind for kind in (UNREADABLE, CRASHED, TIMEOUT, MEMORY) if kind in kinds), GRADED)
    short = [task for task in report.tasks if task.earned < task.points]
    if not short:
        return status, ""
    if status == UNREADABLE and short[0].failure:
        return status, short[0].failure.message
    same = len({task.failure.message for task in short if task.failure}) == 1
    if same and len(short) == len(report.tasks) > 1:
        return status, short[0].failure.message
    return status, ", ".join(f"{task.id} {_why(task)}" for task in short)


def _why(task: TaskResult) -> str:
    named = {group.failure.misconception for group in task.groups if group.failure} - {""}
    return f"({', '.join(sorted(named))})" if named else f"({task.status})"
