"""Grades a class: intake, verdicts, gradebook. Also the four doors that the command line uses.

    release(lab, course)    text -> source -> release
    grade(lab, course)      inbox -> submitted -> verdicts in the ledger -> nbgrader's gradebook
    feedback(lab, course)   nbgrader's HTML page for every submission
    export(lab, course)     grades.csv

Everything that is done is in the ledger, so each of these may be stopped at any moment and started again: what is done stays,
the rest is done, and the result is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from llmlab.grading import attempts, deadlines, roster, scheduler
from llmlab.grading.course import Course, CourseError
from llmlab.grading.export import export
from llmlab.grading.feedback import feedback
from llmlab.grading.intake import entries
from llmlab.grading.ledger import LATE, Ledger
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import desk
from llmlab.grading.release import release
from llmlab.grading.run import TOO_LATE, Progress, Run
from llmlab.grading.summary import Summary
from llmlab.grading.verdicts import Examiner

__all__ = ["Progress", "Summary", "export", "feedback", "grade", "release"]


def grade(lab: str, course: Course, inbox: Path | None = None, progress: Progress | None = None, *, crew: str = "",
          workers: int = 0, display: bool | Collection[str] = True, record: bool = True, unprotected: bool = False) -> Summary:
    """Grade every submission in the inbox that changed since the last time. Returns a row for every student.

    inbox: default assignments/inbox. progress(student, status, done, total) is called when a student's status changes.
    crew: address of a Dask scheduler; default: this machine, with `workers` processes (default: one per core, none for a
    small class). display: also run the notebooks' cells, for their figures; or only those of these students.
    record: also write the gradebook. unprotected: grade even where students' code cannot be confined.
    Raises CourseError if the lab is not released, the inbox or roster cannot be read, or code cannot be confined.
    A stop (Ctrl-C) loses only the jobs at hand.
    """
    at = desk(lab, course)
    nbgrader = Nbgrader(at.root)
    if not at.master.is_file() or not nbgrader.has_assignment(lab):
        raise CourseError(f"{lab} is not released. Run `llmlab release {lab}` first.")
    ledger, inbox = Ledger(at.ledger), inbox or at.inbox
    students, refused = entries(at, inbox)
    terms = deadlines.read(at)
    class_list = roster.read(at.roster)
    with nbgrader.gradebook() as gradebook:
        roster.enter(class_list, gradebook)
    examiner = Examiner(at, unprotected)

    def counted() -> Iterator[tuple[str, list[attempts.Attempt]]]:
        for student in students:
            found = attempts.of(at, student, inbox, terms)
            chosen = attempts.eligible(found, terms)
            if chosen:
                ledger.drop(student, LATE)
                yield student, chosen
            else:
                ledger.write(student, LATE, {"reason": TOO_LATE})

    hands = scheduler.choose(crew, workers, len(students) * len(at.modules))
    try:
        run = Run(at, ledger, examiner, nbgrader, hands, terms, progress or (lambda *_: None), len(students), display,
                  record)
        run.all(counted())
    finally:
        hands.close()
        examiner.close()
    return run.result(refused)
