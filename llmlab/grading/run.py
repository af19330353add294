"""One run over a class: submissions are read one after the other, their jobs given out, their results recorded.

Only a bounded number of submissions is held at a time, so a class of two thousand takes no more memory than one of twenty.
Only this process writes the ledger and the gradebook. Stopped at any moment, it goes on from the ledger.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from typing import Any

from nbgrader.api import MissingEntry

from llmlab.grading import attempts, display, late_penalty, summary
from llmlab.grading.course import CourseError
from llmlab.grading.deadlines import Terms
from llmlab.grading.intake import Intake, read_attempt, store
from llmlab.grading.jobs import Refused, display_order
from llmlab.grading.ledger import CRASHED, QUEUED, RUNNING, Ledger, digest
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import Desk
from llmlab.grading.scheduler import Crew
from llmlab.grading.stopping import Stopping
from llmlab.grading.submission import Submission, Tried, judge, known, to_show
from llmlab.grading.verdicts import Examiner, Lost

Progress = Callable[[str, str, int, int], None]
TOO_LATE = "handed in too late: deadlines.toml says that late work does not count"
TRIES = 3
"""How often a job is given out whose worker was lost."""


@contextmanager
def settled() -> Iterator[None]:
    """Let the garbage collector leave alone what is here already (torch, nbgrader): it takes a tenth of the recording."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


class Run:
    """One run: jobs go to the crew, results come back to this process."""

    def __init__(self, desk: Desk, ledger: Ledger, examiner: Examiner, nbgrader: Nbgrader, crew: Crew, terms: Terms,
                 progress: Progress, total: int, show: bool | Collection[str], record: bool):
        self.desk, self.ledger, self.examiner, self.nbgrader, self.crew = desk, ledger, examiner, nbgrader, crew
        self.terms, self.progress, self.total, self.show, self.record = terms, progress, total, show, record
        self.master = desk.master.read_bytes()
        self.viewer = display.Display()  # only for its keys: workers run the cells
        self.examined = self.recorded = self.shown = self.done = 0
        self.recording_seconds = 0.0
        self.running: dict[Future, tuple[Submission, Callable[..., None], dict[str, Any], int]] = {}

    def all(self, found: Iterable[tuple[str, list[attempts.Attempt]]]) -> None:
        """Grade (student, attempts that count) of everybody. Raises KeyboardInterrupt after Ctrl-C."""
        with Stopping() as stopping, settled():
            for student, counted in found:
                while len(self.running) >= 3 * self.crew.slots:
                    self.collect()
                    stopping.check()
                self.take_in(student, counted)
                stopping.check()
            while self.running:
                self.collect()
                stopping.check()

    def take_in(self, student: str, counted: list[attempts.Attempt]) -> None:
        """Read what arrived; give out what the ledger does not know."""
        item = Submission(student, [])
        for attempt in counted:
            name = f"attempt-{attempt.number}-" if len(counted) > 1 else ""
            one = Tried(attempt, read_attempt(self.desk, student, attempt.folder, self.master), name)
            known(one, self.ledger, self.examiner, self.desk)
            item.tried.append(one)
        if len(counted) == 1:  # else it is written when it is known which one counts
            self.store(item.tried[0])
        for one in item.tried:
            for module in sorted(one.waiting):
                self.start(item, one, module)
        if not item.waits:
            self.judged(item)

    def store(self, tried: Tried) -> None:
        """Keep what is graded, and with its date if a deadline makes the date matter."""
        store(self.desk, self.ledger, tried.intake, tried.attempt.arrived if self.terms.due else None)

    def start(self, item: Submission, tried: Tried, module: str) -> None:
        source = tried.intake.files[f"{module}.py"]
        key = self.examiner.job_key(module, source)
        self.ledger.write(item.student, tried.record_name(module), {"key": key, "status": RUNNING})
        self.progress(item.student, RUNNING, self.done, self.total)

        def take(record: dict[str, Any]) -> None:
            self.examined += 1
            tried.records[module] = {"key": key} | record
            self.ledger.write(item.student, tried.record_name(module), tried.records[module])
            tried.waiting.discard(module)
            if not item.waits:
                self.judged(item)

        self.give_out(item, take, self.examiner.order(module, source))

    def give_out(self, item: Submission, take: Callable[..., None], order: dict[str, Any], tries: int = 1) -> None:
        self.running[self.crew.submit(order)] = (item, take, order, tries)

    def collect(self) -> None:
        """Wait for a job, and take what is finished. A job whose worker was lost is given out again."""
        finished, _ = wait(self.running, return_when=FIRST_COMPLETED)
        for future in finished:
            item, take, order, tries = self.running.pop(future)
            try:
                record = future.result()
            except Refused as error:
                raise CourseError(str(error)) from None
            except Exception as error:  # the worker was lost, or failed: not the student's fault, and said if it persists
                if tries < TRIES:
                    self.give_out(item, take, order, tries + 1)
                    continue
                why = f"no worker finished this job, {TRIES} times ({type(error).__name__}: {str(error)[:200]})"
                record = Lost(CRASHED, why).record() if order["kind"] == "module" else {"seconds": 0.0, "outputs": {}}
                # a Lost record has no key, so the next run tries this job again
            take(record)

    def judged(self, item: Submission) -> None:
        """Every module has a record: decide which attempt counts, then show its cells."""
        for one in item.tried:
            judge(one, self.ledger, self.examiner, self.desk)
        tried = item.counted(self.terms)
        if len(item.tried) > 1:
            self.store(tried)
            for module, record in tried.records.items():
                self.ledger.write(item.student, f"module-{module}", record)
            numbers = [attempt.attempt.number for attempt in item.tried]
            self.ledger.write(item.student, "counted", {"attempt": tried.attempt.number, "of": numbers,
                                                        "points": {str(one.attempt.number): one.points() for one in item.tried}})
        item.tried = [tried]
        seen = self.show if isinstance(self.show, bool) else item.student in self.show
        modules, cells = to_show(tried, self.desk) if seen else ({}, [])
        if not cells:
            self.finish(item)
            return
        key = self.viewer.job_key(modules, cells)
        if self.ledger.read(item.student, display.RECORD).get("key") == key:
            self.finish(item)
            return

        def take(record: dict[str, Any]) -> None:
            self.shown += 1
            self.ledger.write(item.student, display.RECORD, {"key": key} | record)
            self.finish(item)

        self.give_out(item, take, display_order(modules, cells, self.examiner.unprotected))

    def finish(self, item: Submission) -> None:
        """Write the verdicts of a submission, and let nbgrader record them if they changed."""
        tried, student = item.tried[0], item.student
        self.ledger.write(student, "verdicts", tried.verdicts)
        if self.record:
            self.enter(student, tried.intake, tried.verdicts)
        self.done += 1
        self.progress(student, tried.verdicts["status"] if self.record else QUEUED, self.done, self.total)

    def enter(self, student: str, intake: Intake, verdicts: dict[str, Any]) -> None:
        """Let nbgrader record a submission, if anything that it records changed."""
        # seconds vary from run to run and are not part of a verdict, so the same work gives the same key
        key = digest(intake.key, repr(sorted(verdicts["cells"].items())), self.master, self.terms.key(student),
                     str(self.ledger.read(student, display.RECORD).get("key", "")))
        if self.ledger.read(student, "recorded").get("key") == key and self.in_gradebook(student):
            return
        began = time.monotonic()
        with self.nbgrader.gradebook() as gradebook:
            late_penalty.enter(gradebook, self.desk.lab, self.terms, [student])
        self.nbgrader.autograde(self.desk.lab, student)
        self.recording_seconds += time.monotonic() - began
        self.ledger.write(student, "recorded", {"key": key})
        self.recorded += 1

    def in_gradebook(self, student: str) -> bool:
        if not (self.desk.autograded(student) / self.desk.notebook).is_file():
            return False
        with self.nbgrader.gradebook() as gradebook:
            try:
                return bool(gradebook.find_submission(self.desk.lab, student).notebooks)
            except MissingEntry:
                return False

    def result(self, refused: list[tuple[str, str]]) -> summary.Summary:
        """A row for everybody."""
        with self.nbgrader.gradebook() as gradebook:  # a person may have given points since
            late_penalty.assess(gradebook, self.desk.lab, self.terms)
        return summary.Summary(self.desk.lab, summary.rows(self.desk, self.nbgrader, refused), self.examined, self.recorded)
