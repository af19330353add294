"""Grades a class: intake, verdicts, gradebook. Also the four doors that the command line uses.

    release(lab, course)    text -> source -> release
    grade(lab, course)      inbox -> submitted -> verdicts in the ledger -> nbgrader's gradebook
    feedback(lab, course)   nbgrader's HTML page for every submission
    export(lab, course)     grades.csv

Everything that is done is in the ledger, so each of these may be stopped at any moment and started again:
what is done stays, the rest is done, and the result is the same. Only this process writes the ledger and
the gradebook.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbgrader.api import MissingEntry

from llmlab.grading import answers, roster, summary
from llmlab.grading.course import Course, CourseError
from llmlab.grading.export import export
from llmlab.grading.feedback import feedback
from llmlab.grading.intake import OK, Intake, entries, receive, submission_key
from llmlab.grading.ledger import FINAL, QUEUED, RUNNING, Ledger, digest
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import Desk, desk
from llmlab.grading.rebuild import parse
from llmlab.grading.release import release
from llmlab.grading.summary import Summary
from llmlab.grading.verdicts import Examiner, Lost, cells, worst

__all__ = ["Progress", "Summary", "export", "feedback", "grade", "release"]

Progress = Callable[[str, str, int, int], None]
"""progress(student, status, done, total): called when a student's status changes; `done` of `total` have a
result.
"""


@dataclass
class Work:
    """One submission on its way: what arrived, and the records of its modules so far."""

    intake: Intake
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)


def grade(lab: str, course: Course, inbox: Path | None = None, progress: Progress | None = None) -> Summary:
    """Grade every submission in the inbox that changed since the last time. Returns a row for every student.

    inbox: default assignments/inbox. Raises CourseError if the lab is not released, or the inbox or roster
    cannot be read. A stop (Ctrl-C) loses only the jobs at hand.
    """
    at = desk(lab, course)
    nbgrader = Nbgrader(at.root)
    if not at.master.is_file() or not nbgrader.has_assignment(lab):
        raise CourseError(f"{lab} is not released. Run `llmlab release {lab}` first.")
    ledger, inbox = Ledger(at.ledger), inbox or at.inbox
    students, refused = entries(at, inbox)
    class_list = roster.read(at.roster)
    with nbgrader.gradebook() as gradebook:
        roster.enter(class_list, gradebook)
    master = at.master.read_bytes()
    with_progress = progress or (lambda *_: None)
    examiner = Examiner(at)
    try:
        work = [_take_in(at, ledger, examiner, student, inbox, master) for student in students]
        run = _Run(at, ledger, examiner, nbgrader, with_progress, work)
        run.all()
    finally:
        examiner.close()
    return Summary(lab, summary.rows(at, nbgrader, refused), run.examined, run.recorded)


def _take_in(at: Desk, ledger: Ledger, examiner: Examiner, student: str, inbox: Path, master: bytes) -> Work:
    """Intake of one submission; its modules are done, lost, or queued."""
    item = Work(receive(at, ledger, student, inbox, master))
    for module in at.modules:
        part, name = item.intake.part(f"{module}.py"), f"module-{module}"
        if part.status != OK:
            item.records[module] = Lost(part.status, part.reason).record()
            ledger.write(student, name, item.records[module])
            continue
        key = examiner.job_key(module, (at.submitted(student) / part.name).read_bytes())
        before = ledger.read(student, name)
        if before.get("key") == key and before.get("status") in FINAL:
            item.records[module] = before
        else:
            item.waiting.add(module)
            ledger.write(student, name, {"key": key, "status": QUEUED})
    return item


class _Run:
    """One run over a class: jobs in threads (each waits on a process of its own), results in this one.

    There is one thread more than there are cores, since a job that waits for a time limit needs none.
    """

    def __init__(
        self,
        at: Desk,
        ledger: Ledger,
        examiner: Examiner,
        nbgrader: Nbgrader,
        progress: Progress,
        work: list[Work],
    ):
        self.at, self.ledger, self.examiner, self.nbgrader = at, ledger, examiner, nbgrader
        self.progress, self.work = progress, work
        self.examined = self.recorded = self.done = 0

    def all(self) -> None:
        """Do what is queued; record each submission in the gradebook as soon as its last job is done."""
        for item in self.work:
            if not item.waiting:
                self.finish(item)
        queued = [(item, module) for item in self.work for module in sorted(item.waiting)]
        for module in sorted({module for _, module in queued}):
            self.examiner.cases(module)
        pool = ThreadPoolExecutor(max_workers=min(8, 1 + (os.cpu_count() or 2)), thread_name_prefix="examine")
        running: dict[Future, tuple[Work, str, str]] = {}
        try:
            queue = iter(queued)
            while True:
                for item, module in queue:
                    running[self.start(pool, item, module)] = (item, module, self.key(item, module))
                    if len(running) >= pool._max_workers:
                        break
                if not running:
                    break
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    self.take(*running.pop(future), future.result())
        finally:
            self.examiner.close()  # ends what still runs, so that the threads end too
            pool.shutdown(wait=True, cancel_futures=True)

    def key(self, item: Work, module: str) -> str:
        return self.ledger.read(item.intake.student, f"module-{module}")["key"]

    def start(self, pool: ThreadPoolExecutor, item: Work, module: str) -> Future:
        student = item.intake.student
        source = (self.at.submitted(student) / f"{module}.py").read_bytes()
        key = self.examiner.job_key(module, source)
        self.ledger.write(student, f"module-{module}", {"key": key, "status": RUNNING})
        self.progress(student, RUNNING, self.done, len(self.work))
        return pool.submit(self.examiner.examine, module, source)

    def take(self, item: Work, module: str, key: str, record: dict[str, Any]) -> None:
        """Keep a finished job; the submission's last one finishes the submission."""
        self.examined += 1
        item.records[module] = {"key": key} | record
        self.ledger.write(item.intake.student, f"module-{module}", item.records[module])
        item.waiting.discard(module)
        if not item.waiting:
            self.finish(item)

    def finish(self, item: Work) -> None:
        """Write the verdicts of a submission, and let nbgrader record them if they changed."""
        student = item.intake.student
        verdicts = self.verdicts(item)
        self.ledger.write(student, "verdicts", verdicts)
        folder = self.at.submitted(student)
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
        # seconds vary from run to run and are not part of a verdict, so the same work gives the same key
        key = digest(
            submission_key(files), repr(sorted(verdicts["cells"].items())), self.at.master.read_bytes()
        )
        if self.ledger.read(student, "recorded").get("key") != key or not self.in_gradebook(student):
            self.nbgrader.autograde(self.at.lab, student)
            self.ledger.write(student, "recorded", {"key": key})
            self.recorded += 1
        self.done += 1
        self.progress(student, verdicts["status"], self.done, len(self.work))

    def in_gradebook(self, student: str) -> bool:
        if not (self.at.autograded(student) / self.at.notebook).is_file():
            return False
        with self.nbgrader.gradebook() as gradebook:
            try:
                return bool(gradebook.find_submission(self.at.lab, student).notebooks)
            except MissingEntry:
                return False

    def verdicts(self, item: Work) -> dict[str, Any]:
        """The record that nbgrader's preprocessor looks up."""
        student, notebook = item.intake.student, item.intake.part(self.at.notebook)
        source = _answers_source(self.at, student)
        key, before = self.examiner.numbers_key(source), self.ledger.read(student, "answers")
        numbers = before["verdicts"] if before.get("key") == key else self.examiner.numbers(source)
        self.ledger.write(student, "answers", {"key": key, "verdicts": numbers})
        # in the lab's order: jobs end in any order, and a reason that moved would look like a new result
        reasons = [notebook.reason] + [item.records[module]["reason"] for module in self.at.modules]
        wrong = [name for name, told in numbers.items() if not told["ok"]]
        if wrong and notebook.status == OK:
            reasons.append(f"answers without points: {', '.join(wrong)}")
        reasons += item.intake.notes
        return {
            "status": worst(item.records, notebook.status),
            "reason": "; ".join(dict.fromkeys(filter(None, reasons))),
            "cells": cells(self.at, item.records, numbers),
        }


def _answers_source(at: Desk, student: str) -> str:
    """The text of the answers cell in the rebuilt notebook ("" if the lab asks for no numbers)."""
    name = "grade:" + answers.CELL.format(lab=at.lab)
    found = parse((at.submitted(student) / at.notebook).read_text(encoding="utf-8"))
    return next((cell.source for cell in found if name in cell.names), "")
