"""From a submission to its verdicts: each module through the harness with the hidden cases, each number
against its key.

Hidden cases and keys are made once and shared by all submissions. A job is the bytes of one module; its
key is a hash of these bytes, of the check's own files, and of the hidden cases' file, so a job is done
again exactly when one of them changed. No student code runs in this process.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmlab.checks.protocol import Verdict
from llmlab.grading import answers, hidden
from llmlab.grading.jobs import Order, Worker, check_version, module_order, out_of_memory
from llmlab.grading.ledger import CRASHED, GRADED, MEMORY, MISSING, TIMEOUT, UNREADABLE, digest
from llmlab.grading.places import Desk
from llmlab.harness.report import Report


class Examiner:
    """What the verdicts on one lab are made with: orders for jobs, keys that say when a job must be done again, numbers.

    unprotected: examine also where the machine cannot confine students' code.
    """

    def __init__(self, desk: Desk, unprotected: bool = False):
        self.desk, self.unprotected, self.lock = desk, unprotected, threading.Lock()
        self.versions = {module: check_version(module) for module in desk.modules}
        self._hidden: dict[str, bytes] = {}
        self._keys: dict[str, answers.Key] | None = None
        self._worker: Worker | None = None

    def hidden(self, module: str) -> bytes:
        """The text that makes the module's hidden cases, as it was when this run began."""
        with self.lock:
            if module not in self._hidden:
                self._hidden[module] = hidden.source(module, self.desk.course)
            return self._hidden[module]

    def job_key(self, module: str, source: bytes) -> str:
        """What a verdict on these bytes depends on, as one hash."""
        return digest(module, source, self.versions[module], self.hidden(module))

    def order(self, module: str, source: bytes) -> Order:
        """The order to examine these bytes."""
        mine = [task.id for task in self.desk.tasks if task.module == module]
        return module_order(module, source, self.hidden(module), mine, self.versions[module], self.unprotected)

    def examine(self, module: str, source: bytes) -> dict[str, Any]:
        """The ledger's record of a job, without its key: done here and now."""
        with self.lock:
            self._worker = self._worker or Worker()
        return self._worker.do(self.order(module, source))

    def close(self) -> None:
        """Stop what `examine` keeps."""
        if self._worker is not None:
            self._worker.close()

    def keys(self) -> dict[str, answers.Key]:
        with self.lock:
            if self._keys is None:
                self._keys = answers.keys(self.desk.lab, self.desk.course)
            return self._keys

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
