"""A class in which almost everybody attacks, graded once through the real pipeline with nbgrader's gradebook."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmlab.grading import hidden, pipeline
from llmlab.grading.course import Course
from llmlab.grading.ledger import Ledger
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import Desk, desk
from llmlab.grading.sample_students import Maker
from llmlab.grading.summary import Summary
from tests.adversarial import malformed
from tests.adversarial.attack import FULL
from tests.grading import lab_text

TASKS = (*(f"decoding.{name}" for name in FULL), "penalties.presence_penalty")


@dataclass
class Graded:
    """The class after release and grading."""

    desk: Desk
    summary: Summary

    def ledger(self, student: str, record: str = "verdicts") -> dict:
        return Ledger(self.desk.ledger).read(student, record)

    def told(self, one: malformed.Submission) -> tuple[dict[str, float], set[str]]:
        """The points of the modules' tasks, and the numeric answers that got theirs."""
        cells = {name: cell["points"] for name, cell in self.ledger(one.name)["cells"].items()}
        points = {name: cells[f"{'penalties' if 'penalty' in name else 'decoding'}-{name}"] for name in one.points}
        return points, {name for name, score in cells.items() if name.startswith("answer-") and score}

    def outcome(self, one: malformed.Submission) -> str:
        points, numbers = self.told(one)
        asked = {name for name in self.ledger(one.name)["cells"] if name.startswith("answer-")}
        said = "all" if numbers == asked else f"{len(numbers)} of {len(asked)}" if numbers else "0"
        return ", ".join(f"{name} {value:g}" for name, value in points.items()) + f", numbers {said}"

    def scores(self) -> dict[str, dict[str, float]]:
        """Student -> grade id -> points in nbgrader's gradebook."""
        with Nbgrader(self.desk.root).gradebook() as gradebook:
            return {one.student.id: {grade.name: grade.score for book in one.notebooks for grade in book.grades}
                    for one in gradebook.assignment_submissions("lab1")}


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """Lab 1 has four quick tasks here, and little patience."""
    tasks, made = Desk.tasks, hidden.made
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab_text, "TASKS", TASKS)
        patch.setattr(lab_text, "PATIENCE", 2.0)
        lab_text.restrict()
        try:
            yield
        finally:
            Desk.tasks, hidden.made = tasks, made


def course(root: Path) -> Course:
    where = lab_text.small_course(root)
    pipeline.release("lab1", where)
    return where


def hand_in(at: Desk, submissions: list[malformed.Submission]) -> None:
    """Fill the inbox."""
    make = Maker(at, 7)
    for one in submissions:
        folder = at.inbox / one.name / at.lab
        folder.mkdir(parents=True)
        for name, content in one.hands_in(make).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        if one.deed:
            one.deed(folder)
    for name in malformed.REFUSED_NAMES:
        (at.inbox / name / at.lab).mkdir(parents=True)
    (at.inbox / "a-file.py").write_text("x")
    (at.inbox / "linked-folder").symlink_to(at.root)


def grade(root: Path, submissions: list[malformed.Submission], record: bool) -> Graded:
    """Release, hand in and grade; with `record` also gradebook, cells shown, and feedback. Call it within `quick`."""
    at = desk("lab1", course(root))
    hand_in(at, submissions)
    summary = pipeline.grade("lab1", at.course, workers=1, record=record, display=record)
    if record:
        pipeline.feedback("lab1", at.course)
    return Graded(at, summary)
