"""Grades again what a mended check touches, and reports every changed grade.

    due(desk)       the jobs whose verdict was made with another check, other hidden cases or another file
    regrade(...)    grades those, and any that are asked for; scores and comments of persons stay

The grades before are kept in the ledger until the report is written. So a regrade may be killed at any
moment: the next one goes on, and compares with the grades before the first start.

    assignments/ledger/lab1-regrade.json         the regrade under way
    assignments/regrades/lab1-<time>.json|csv    its report
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmlab._finder import short_hash
from llmlab.grading import answers, pipeline
from llmlab.grading.changes import Changes, compare, look, records
from llmlab.grading.course import Course, CourseError
from llmlab.grading.ledger import Ledger, write_atomic
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import Desk, desk
from llmlab.grading.rebuild import NotebookError, parse
from llmlab.grading.verdicts import Examiner

ANSWERS = "answers"
"""What stands for the numeric answers where a task's id is asked for."""


@dataclass(frozen=True)
class Job:
    """One file of one student whose verdict is to be made again, and why."""

    student: str
    file: str
    why: str


@dataclass(frozen=True)
class Regrade:
    """What a regrade came to. `left` are jobs that are still due: their submission is not in the inbox."""

    lab: str
    began: str
    resumed: bool
    examined: int
    recorded: int
    changes: Changes
    left: tuple[Job, ...]
    report: Path


def due(at: Desk) -> list[Job]:
    """The jobs that a regrade would do now. Runs no student's code and changes no verdict.

    A submission that arrived since the last `llmlab grade` is not known here.
    """
    ledger, examiner = Ledger(at.ledger), Examiner(at)
    jobs = []
    for student in ledger.students():
        for module in at.modules:
            file = at.submitted(student) / f"{module}.py"
            if file.is_file():
                source, record = file.read_bytes(), ledger.read(student, f"module-{module}")
                if record.get("key") != examiner.job_key(module, source):
                    jobs.append(Job(student, file.name, _why(record, short_hash(source))))
        source = _answers(at, student)
        if source is not None:
            record = ledger.read(student, ANSWERS)
            if record.get("key") != examiner.numbers_key(source):
                why = "the answers, their questions or their keys changed" if record else "no verdict yet"
                jobs.append(Job(student, at.notebook, why))
    return jobs


def _why(record: dict[str, Any], now: str) -> str:
    if not record.get("key"):
        return "no verdict yet"
    report = record.get("report")
    if not report:
        return "the check, its hidden cases or the file changed"
    return "the check or its hidden cases changed" if report.get("hash") == now else "the file changed"


def _answers(at: Desk, student: str) -> str | None:
    """The text of the answers cell, or None where nothing was taken in."""
    name = "grade:" + answers.CELL.format(lab=at.lab)
    try:
        cells = parse((at.submitted(student) / at.notebook).read_text(encoding="utf-8"))
    except (OSError, NotebookError):
        return None
    return next((cell.source for cell in cells if name in cell.names), "")


def chosen(at: Desk, tasks: Iterable[str] = (), students: Iterable[str] = ()) -> list[Job]:
    """The jobs that are asked for by name: a task stands for its module, no task for all, no student for all.

    Raises CourseError naming what there is. Nothing asked for gives [].
    """
    tasks, students = list(tasks), list(students)
    if not tasks and not students:
        return []
    ledger = Ledger(at.ledger)
    there, known = ledger.students(), {task.id: f"{task.module}.py" for task in at.tasks}
    for name in tasks:
        if name not in known and name != ANSWERS:
            raise CourseError(
                f"{at.lab} has no task {name!r}. There are: {', '.join(known)}, and {ANSWERS} (the numbers)."
            )
    for name in students:
        if name not in there:
            raise CourseError(f"The ledger of {at.lab} has no student {name!r}. Run `llmlab grade {at.lab}`.")
    files = {known.get(name, at.notebook) for name in tasks} or set(records(at))
    return [
        Job(student, file, "asked for")
        for student in students or there
        for file, record in records(at).items()
        if file in files and ledger.read(student, record)
    ]


def regrade(
    lab: str,
    course: Course,
    tasks: Iterable[str] = (),
    students: Iterable[str] = (),
    inbox: Path | None = None,
    progress: pipeline.Progress | None = None,
    **how: Any,
) -> Regrade:
    """Grade what changed, and the jobs of `tasks` and `students` in any case; report the changed grades.

    how: passed on to `pipeline.grade`. Raises CourseError if nothing has been graded yet, or a name is
    unknown.
    """
    at = desk(lab, course)
    nbgrader, ledger = Nbgrader(at.root), Ledger(at.ledger)
    if not nbgrader.has_assignment(lab) or not ledger.students():
        raise CourseError(f"No submission of {lab} has been graded. Run `llmlab grade {lab}` first.")
    asked = chosen(at, tasks, students)
    state, resumed = _begin(at, nbgrader)
    _drop(at, ledger, state, asked)
    done = pipeline.grade(lab, course, inbox=inbox, progress=progress, **how)
    changes = compare(at, state["grades"], look(at, nbgrader))
    made = Regrade(
        lab,
        state["began"],
        resumed,
        done.examined,
        done.recorded,
        changes,
        tuple(due(at)),
        at.root / "regrades" / f"{state['report']}.json",
    )
    _write(made, state)
    _file(at).unlink()
    return made


def _file(at: Desk) -> Path:
    return at.root / "ledger" / f"{at.lab}-regrade.json"


def _begin(at: Desk, nbgrader: Nbgrader) -> tuple[dict[str, Any], bool]:
    """The regrade under way and True, or a new one and False."""
    try:
        state = json.loads(_file(at).read_bytes())
        if isinstance(state, dict) and {"began", "report", "grades", "dropped"} <= set(state):
            return state, True
    except (OSError, ValueError):
        pass  # none, or one that nobody can go on with
    now = datetime.now(UTC)
    name, count = f"{at.lab}-{now:%Y%m%dT%H%M%SZ}", 1
    while (at.root / "regrades" / f"{name}.json").exists():
        count += 1
        name = f"{at.lab}-{now:%Y%m%dT%H%M%SZ}-{count}"
    state = {
        "began": now.isoformat(timespec="seconds"),
        "report": name,
        "grades": look(at, nbgrader),
        "dropped": [],
    }
    _save(at, state)
    return state, False


def _save(at: Desk, state: dict[str, Any]) -> None:
    write_atomic(_file(at), json.dumps(state, indent=1, ensure_ascii=False).encode("utf-8", "replace"))


def _drop(at: Desk, ledger: Ledger, state: dict[str, Any], asked: list[Job]) -> None:
    """Take the verdicts of `asked` out of the ledger; in a resumed regrade, only those not dropped before."""
    for job in asked:
        if [job.student, job.file] not in state["dropped"]:
            record = ledger.file(job.student, records(at)[job.file])
            for file in (record, *record.parent.glob(f"attempt-*-{record.name}")):
                file.unlink(missing_ok=True)
            state["dropped"].append([job.student, job.file])
    if asked:
        _save(at, state)


def _write(made: Regrade, state: dict[str, Any]) -> None:
    told = {
        "lab": made.lab,
        "began": made.began,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "asked_for": state["dropped"],
        "examined": made.examined,
        "recorded": made.recorded,
        **made.changes.to_json(),
        "still_due": [[job.student, job.file, job.why] for job in made.left],
    }
    text = json.dumps(told, indent=1, ensure_ascii=False)
    write_atomic(made.report.with_suffix(".csv"), made.changes.csv().encode("utf-8", "replace"))
    write_atomic(made.report, text.encode("utf-8", "replace"))
