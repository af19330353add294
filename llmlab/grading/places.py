"""Where the files of one lab lie in the nbgrader course, and what a student's name may look like. Paths only.

assignments/text/lab1.py, lab1_2.py ...   the lab, written as text, in parts
assignments/source|release/lab1/          made by `release`
assignments/inbox/<student>/lab1/         what students handed in; read, never changed
assignments/submitted/<student>/lab1/     made by the intake
assignments/ledger/lab1/<student>/*.json  what has been done, and every verdict
assignments/autograded|feedback/...       made by nbgrader
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from llmlab.checks import registry
from llmlab.checks.protocol import Task
from llmlab.grading.course import Course, CourseError

STUDENT = re.compile(r"\w[\w.@-]{0,63}")
"""A student's id: letters, digits, `_ . @ -`; at most 64; nothing that a path, a file glob or a
spreadsheet reads.
"""


def is_student(name: str) -> bool:
    """True if `name` can be a student's id.

    >>> [is_student(name) for name in ("ada", "20261017", "a*", "..", "=1+1")]
    [True, True, False, False, False]
    """
    return STUDENT.fullmatch(name) is not None


def labs() -> list[str]:
    """The labs that the registered tasks belong to, sorted."""
    return sorted({task.lab for task in registry.tasks()})


def written(course: Course) -> list[str]:
    """The labs that have a text, and so can be released; sorted."""
    return [lab for lab in labs() if (course.assignments / "text" / f"{lab}.py").is_file()]


def released(course: Course) -> list[str]:
    """The labs whose released notebook lies in `assignments/release`; sorted."""
    return [lab for lab in labs() if Desk(course, lab).master.is_file()]


@dataclass(frozen=True)
class Desk:
    """One lab of the course, as the grader sees it."""

    course: Course
    lab: str

    @property
    def root(self) -> Path:
        """The nbgrader course folder."""
        return self.course.assignments

    @property
    def text(self) -> Path:
        return self.root / "text" / f"{self.lab}.py"

    @property
    def texts(self) -> list[Path]:
        """The parts of the text: `lab1.py`, then `lab1_2.py`, `lab1_3.py` and so on, as far as there are any."""
        more = self.text.parent.glob(f"{self.lab}_[2-9].py")
        return [self.text, *sorted(more)]

    @property
    def source(self) -> Path:
        return self.root / "source" / self.lab

    @property
    def release(self) -> Path:
        return self.root / "release" / self.lab

    @property
    def master(self) -> Path:
        """The released notebook, on which every submission is rebuilt."""
        return self.release / self.notebook

    @property
    def notebook(self) -> str:
        return f"{self.lab}.ipynb"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger" / self.lab

    @property
    def roster(self) -> Path:
        return self.root / "roster.csv"

    def submitted(self, student: str) -> Path:
        return self.root / "submitted" / student / self.lab

    def autograded(self, student: str) -> Path:
        return self.root / "autograded" / student / self.lab

    def feedback(self, student: str) -> Path:
        return self.root / "feedback" / student / self.lab

    @property
    def tasks(self) -> list[Task]:
        return [task for task in registry.tasks() if task.lab == self.lab]

    @property
    def modules(self) -> list[str]:
        """The lab modules that a student hands in, in the order of the tasks."""
        return list(dict.fromkeys(task.module for task in self.tasks))


def desk(lab: str, course: Course) -> Desk:
    """The desk of a lab. Raises CourseError, listing the labs there are."""
    known = labs()
    if lab not in known:
        raise CourseError(f"There is no lab {lab!r}. The labs are: {', '.join(known)}.")
    return Desk(course, lab)
