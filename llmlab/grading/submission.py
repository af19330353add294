"""One student's work on its way through the grader: what arrived, what is known of it, what is still to be done.

With the policy "last" it is one attempt. With "best" it is every attempt that counts; the one with the most points, lateness
taken off, goes to the gradebook.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from llmlab.grading import answers, display
from llmlab.grading.attempts import Attempt
from llmlab.grading.deadlines import Terms
from llmlab.grading.intake import OK, Intake
from llmlab.grading.ledger import FINAL, Ledger
from llmlab.grading.places import Desk
from llmlab.grading.rebuild import parse
from llmlab.grading.verdicts import Examiner, Lost, cells, worst


@dataclass
class Tried:
    """One attempt: its files, and the records of its modules so far. `name` tells its records in the ledger apart."""

    attempt: Attempt
    intake: Intake
    name: str = ""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    verdicts: dict[str, Any] = field(default_factory=dict)

    def record_name(self, module: str) -> str:
        return f"{self.name}module-{module}"

    def points(self) -> float:
        """The sum of what its cells earned, as far as no person has to read them."""
        return sum(float(cell["points"]) for cell in self.verdicts["cells"].values())


@dataclass
class Submission:
    """All attempts of one student that count, oldest first."""

    student: str
    tried: list[Tried]
    display: dict[str, Any] | None = None

    @property
    def waits(self) -> bool:
        return any(one.waiting for one in self.tried)

    def counted(self, terms: Terms) -> Tried:
        """The attempt that counts: the best one; of equal ones the newest."""
        return max(self.tried, key=lambda one: (
            one.points() - terms.penalty(self.student, one.points(), one.attempt.arrived), one.attempt.number))


def known(tried: Tried, ledger: Ledger, examiner: Examiner, desk: Desk) -> None:
    """Fill in what the ledger has of this attempt; what is missing waits."""
    for module in desk.modules:
        part = tried.intake.part(f"{module}.py")
        if part.status != OK:
            tried.records[module] = Lost(part.status, part.reason).record()
            ledger.write(tried.intake.student, tried.record_name(module), tried.records[module])
            continue
        key = examiner.job_key(module, tried.intake.files[part.name])
        before = ledger.read(tried.intake.student, tried.record_name(module))
        if before.get("key") == key and before.get("status") in FINAL:
            tried.records[module] = before
        else:
            tried.waiting.add(module)


def judge(tried: Tried, ledger: Ledger, examiner: Examiner, desk: Desk) -> None:
    """Make the record that nbgrader's preprocessor looks up, once every module has its own."""
    student, notebook = tried.intake.student, tried.intake.part(desk.notebook)
    source = _answers_source(desk, tried.intake.files[desk.notebook])
    name = f"{tried.name}answers"
    key, before = examiner.numbers_key(source), ledger.read(student, name)
    numbers = before["verdicts"] if before.get("key") == key else examiner.numbers(source)
    ledger.write(student, name, {"key": key, "verdicts": numbers})
    # in the lab's order: jobs end in any order, and a reason that moved would look like a new result
    reasons = [notebook.reason] + [tried.records[module]["reason"] for module in desk.modules]
    wrong = [one for one, told in numbers.items() if not told["ok"]]
    if wrong and notebook.status == OK:
        reasons.append(f"answers without points: {', '.join(wrong)}")
    reasons += tried.intake.notes
    tried.verdicts = {"status": worst(tried.records, notebook.status),
                      "reason": "; ".join(dict.fromkeys(filter(None, reasons))),
                      "cells": cells(desk, tried.records, numbers)}


def to_show(tried: Tried, desk: Desk) -> tuple[dict[str, bytes], list[dict[str, str]]]:
    """The modules and the cells of an attempt that a display run takes."""
    modules = {module: tried.intake.files[f"{module}.py"] for module in desk.modules if f"{module}.py" in tried.intake.files}
    return modules, display.code_cells(json.loads(tried.intake.files[desk.notebook]))


def _answers_source(desk: Desk, notebook: bytes) -> str:
    """The text of the answers cell in the rebuilt notebook ("" if the lab asks for no numbers)."""
    name = "grade:" + answers.CELL.format(lab=desk.lab)
    return next((cell.source for cell in parse(notebook.decode("utf-8")) if name in cell.names), "")
