"""From a submission to its verdicts: each module through the harness with the hidden cases, each number
against its key.

Hidden cases and keys are made once and shared by all submissions. A job is the bytes of one module; its
key is a hash of these bytes, of the check's own files, and of the hidden cases' file, so a job is done
again exactly when one of them changed. No student code runs in this process.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from llmlab._finder import LAB_MODULES
from llmlab.checks import registry
from llmlab.checks.protocol import Case, Verdict
from llmlab.grading import answers, hidden
from llmlab.grading.ledger import CRASHED, GRADED, MEMORY, MISSING, TIMEOUT, UNREADABLE, digest
from llmlab.grading.places import Desk
from llmlab.harness.report import Report, TaskResult
from llmlab.harness.runner import Harness
from llmlab.harness.wire import Closed

DISPLAY = ("notebook", "reading")
"""Files of the harness that only show verdicts."""


def check_version(module: str) -> str:
    """A hash of everything that decides a verdict on `module`: its check, what all checks share, the
    harness, torch.
    """
    package = Path(registry.__file__).parent
    own = [
        file
        for file in package.rglob("*.py")
        if file.relative_to(package).parts[0].removesuffix(".py") == module
    ]
    shared = [
        file for file in package.glob("*.py") if file.stem not in LAB_MODULES and file.stem != "answers"
    ]
    harness = [file for file in (package.parent / "harness").glob("*.py") if file.stem not in DISPLAY]
    files = sorted({*own, *shared, *harness})
    return digest(torch.__version__, *[part for file in files for part in (file.name, file.read_bytes())])


class Examiner:
    """Everything needed to judge the submissions of one lab. Several threads may call its methods."""

    def __init__(self, desk: Desk):
        self.desk, self.lock = desk, threading.Lock()
        self.versions = {module: check_version(module) for module in desk.modules}
        self._cases: dict[str, list[Case]] = {}
        self._keys: dict[str, answers.Key] | None = None
        self._harness: Harness | None = None
        self.stopped = False

    def job_key(self, module: str, source: bytes) -> str:
        """What a verdict on these bytes depends on, as one hash."""
        file = self.desk.course.solutions / "hidden" / f"{module}.py"
        return digest(module, source, self.versions[module], file.read_bytes() if file.is_file() else b"")

    def cases(self, module: str) -> list[Case]:
        """The hidden cases of a module, expected values included; made on first use."""
        with self.lock:
            if module not in self._cases:
                self._cases[module] = hidden.cases(module, self.desk.course)
            return self._cases[module]

    def keys(self) -> dict[str, answers.Key]:
        with self.lock:
            if self._keys is None:
                self._keys = answers.keys(self.desk.lab, self.desk.course)
            return self._keys

    def harness(self) -> Harness:
        with self.lock:
            if self._harness is None:
                self._harness = Harness()
            return self._harness

    def close(self) -> None:
        """Stop the warm process and every candidate in it; a job that still runs gives a result that must
        not be kept.
        """
        with self.lock:
            self.stopped = True
            if self._harness is not None:
                self._harness.close()

    def examine(self, module: str, source: bytes) -> dict[str, Any]:
        """The ledger's record of a job, without its key. A job whose warm process died is repeated once,
        alone.
        """
        began = time.monotonic()
        harness = self.harness()
        try:
            report = self._check(harness, module, source)
            if harness.starter.process.poll() is not None:
                raise Closed("the warm process ended")
        except Closed:
            with self.lock:
                if self._harness is harness:
                    self._harness = None
                    harness.close()
            report = self._alone(module, source)
        if report is None:
            status, reason = CRASHED, f"{module}.py ended the process that checks it, twice"
        else:
            status, reason = outcome(report)
        return {
            "status": status,
            "reason": reason,
            "seconds": round(time.monotonic() - began, 2),
            "report": report.to_json() if report else None,
        }

    def _check(self, harness: Harness, module: str, source: bytes) -> Report:
        mine = [task for task in self.desk.tasks if task.module == module]
        return harness.check_source(
            module, source, f"{module}.py", mine, self.cases(module), registry.checks_of(module)
        )

    def _alone(self, module: str, source: bytes) -> Report | None:
        """In a warm process of its own, so that only its own deeds count."""
        if self.stopped:
            return None
        harness = Harness()
        try:
            report = self._check(harness, module, source)
            return report if harness.starter.process.poll() is None else None
        except Closed:
            return None
        finally:
            harness.close()

    def numbers(self, source: str) -> dict[str, dict[str, Any]]:
        """The verdict of each numeric question on the answers cell's text."""
        asked = answers.questions(self.desk.lab)
        try:
            given, unread = answers.read(source), ""
        except answers.AnswerError as error:
            given, unread = {}, str(error)
        judged = {}
        for question in asked:
            verdict = (
                Verdict(False, unread)
                if unread
                else answers.judge(question, self.keys()[question.id], given.get(question.id))
            )
            judged[question.id] = {
                "ok": verdict.ok,
                "message": verdict.message,
                "got": verdict.got[:200],
                "misconception": verdict.misconception,
            }
        return judged

    def numbers_key(self, source: str) -> str:
        """What the verdicts on an answers cell depend on, as one hash."""
        asked = [repr(question) for question in answers.questions(self.desk.lab)]
        files = [Path(answers.__file__).read_bytes(), Path(answers.public.__file__).read_bytes()]
        return digest(source, *asked, *files, repr(sorted(self.keys().items())))


def out_of_memory(task: TaskResult) -> bool:
    return any(group.failure is not None and group.failure.got == "MemoryError" for group in task.groups)


def outcome(report: Report) -> tuple[str, str]:
    """The job's status in the ledger, and one line on what went wrong ("" if nothing did)."""
    kinds = {task.status for task in report.tasks} | (
        {MEMORY} if any(map(out_of_memory, report.tasks)) else set()
    )
    status = next((kind for kind in (UNREADABLE, CRASHED, TIMEOUT, MEMORY) if kind in kinds), GRADED)
    short = [task for task in report.tasks if task.earned < task.points]
    if not short:
        return status, ""
    if status == UNREADABLE and short[0].failure:
        return status, short[0].failure.message
    if (
        len({task.failure.message for task in short if task.failure}) == 1
        and len(short) == len(report.tasks) > 1
    ):
        return status, short[0].failure.message
    return status, ", ".join(f"{task.id} {_why(task)}" for task in short)


def _why(task: TaskResult) -> str:
    named = {group.failure.misconception for group in task.groups if group.failure} - {""}
    return f"({', '.join(sorted(named))})" if named else f"({task.status})"


@dataclass(frozen=True)
class Lost:
    """A module that could not be examined: no bytes arrived."""

    status: str
    reason: str

    def record(self) -> dict[str, Any]:
        return {"key": "", "status": self.status, "reason": self.reason, "seconds": 0.0, "report": None}


def cells(
    desk: Desk, modules: dict[str, dict[str, Any]], numbers: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What nbgrader looks up: grade_id -> {points, max, status, message, read, groups}, for every task and
    question.
    """
    made: dict[str, dict[str, Any]] = {}
    for task in desk.tasks:
        record = modules[task.module]
        found = None
        if record["report"] is not None:
            report = Report.from_json(record["report"])
            found = next((result for result in report.tasks if result.id == task.id), None)
        entry = {
            "title": task.id,
            "max": task.points,
            "read": task.read,
            "points": 0.0,
            "status": record["status"],
            "message": record["reason"],
            "groups": [],
        }
        if found is not None:
            entry |= {
                "points": found.earned,
                "status": MEMORY if out_of_memory(found) else found.status,
                "message": _summary(found),
                "groups": [_group(group) for group in found.groups],
            }
        made[task.id.replace(".", "-")] = entry
    for question in answers.questions(desk.lab):
        told = numbers[question.id]
        status = "ok" if told["ok"] else "wrong"
        made[f"answer-{question.id}"] = {
            "title": question.title,
            "max": float(question.points),
            "read": question.read,
            "status": status,
            "points": float(question.points) if told["ok"] else 0.0,
            "message": told["message"] or "Right.",
            "got": told["got"],
            "misconception": told["misconception"],
            "groups": [],
        }
    return made


def _summary(task: TaskResult) -> str:
    if task.earned == task.points:
        return "All cases passed."
    return task.failure.message if task.failure else task.status


def _group(group) -> dict[str, Any]:
    failure = group.failure
    told = {
        "name": group.name,
        "points": group.points,
        "earned": group.earned,
        "cases": group.cases,
        "passed": group.passed,
    }
    if failure is not None:
        told |= {
            "show": failure.show,
            "message": failure.message,
            "expected": failure.expected,
            "got": failure.got,
            "misconception": failure.misconception,
            "printed": failure.printed,
        }
    return told


def worst(modules: dict[str, dict[str, Any]], notebook_status: str) -> str:
    """One status for the whole submission: the most serious one of its parts, else "graded"."""
    seen = {record["status"] for record in modules.values()} | {notebook_status}
    return next((kind for kind in (UNREADABLE, CRASHED, TIMEOUT, MEMORY, MISSING) if kind in seen), GRADED)
