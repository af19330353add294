"""Publishes a lab's solutions, after the last deadline: `dist/<lab>-solutions/` and a zip of it.

In it: the solved modules without their markers, and the notebook as its author wrote it, with the written
answers that the text has. Not in it: hidden cases, the source of the keys, mutants, alternatives. Before
anything is written, the files are scanned for those (`leaks`); with a finding, nothing is published.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmlab.grading import answers, artefact, deadlines, leaks
from llmlab.grading.course import Course, CourseError
from llmlab.grading.deadlines import Terms
from llmlab.grading.ledger import write_atomic
from llmlab.grading.places import Desk, desk
from llmlab.grading.release import WORKSPACE, source_notebook
from llmlab.grading.scaffold import BEGIN, END

HIDDEN_TESTS = re.compile(
    r"^[ \t]*### BEGIN HIDDEN TESTS.*?^[ \t]*### END HIDDEN TESTS[^\n]*\n?", re.DOTALL | re.MULTILINE
)


def publish(
    lab: str, course: Course, force: bool = False, numbers: bool = False, now: datetime | None = None
) -> tuple[Path, list[str]]:
    """Write the solutions of a lab. Returns the folder, and what a person should know.

    force: also before the deadline, or without one. numbers: also the right values of the numeric questions.
    Raises CourseError naming the date and the students who still have time, or what would leak.
    """
    at = desk(lab, course)
    notes = open_for(deadlines.read(at), lab, now or datetime.now(UTC), force)
    files = contents(at, numbers)
    found = leaks.scan(iter(sorted(files.items())), secrets(at))
    if found:
        raise CourseError(
            f"The solutions of {lab} hold what must stay hidden: {found[0]}"
            + (f", and {len(found) - 1} more" if len(found) > 1 else "")
            + ". Nothing was published; remove it from the solution or the lab's text."
        )
    folder = course.root / "dist" / f"{lab}-solutions"
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        write_atomic(folder / name, content)
    artefact.write_zip(folder.with_suffix(".zip"), folder.name, files)
    return folder, notes


def open_for(terms: Terms, lab: str, now: datetime, force: bool = False) -> list[str]:
    """What a person should know before solutions go out. Raises CourseError while somebody still has time.

    Whoever is excused has no deadline: they are named, and do not hold the solutions back.
    """
    notes = [f"{', '.join(sorted(terms.excused))}: excused, and may still hand in"] if terms.excused else []
    ends = {student: due for student, due in terms.extensions.items() if student not in terms.excused}
    late = sorted((due, student) for student, due in ends.items() if due > now)
    if terms.due is None:
        why = f"{lab} has no deadline in assignments/{deadlines.FILE}"
    elif terms.due > now:
        why = f"{lab} is due on {_when(max([terms.due, *ends.values()]))}"
        why += f" ({', '.join(student for _, student in late)} last)" if late else ""
    elif late:
        why = f"{', '.join(student for _, student in late)} may hand in {lab} until {_when(late[-1][0])}"
    else:
        return notes
    if not force:
        raise CourseError(f"{why}. Publish the solutions then, or now with --force.")
    return [*notes, f"published although {why}"]


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def contents(at: Desk, numbers: bool = False) -> dict[str, bytes]:
    """File name -> bytes of what is published."""
    files = {f"{module}.py": _module(at.course.solutions / f"{module}.py") for module in at.modules}
    files[at.notebook] = _notebook(at, numbers)
    files["llmlab.toml"] = WORKSPACE.format(lab=at.lab).encode()
    return files


def _module(file: Path) -> bytes:
    if not file.is_file():
        raise CourseError(f"There is no solution {file}.")
    return unmarked(file.read_text(encoding="utf-8")).encode()


def unmarked(source: str) -> str:
    """A solution without nbgrader's markers and without hidden tests.

    >>> unmarked("### BEGIN SOLUTION\\nx = 1\\n### END SOLUTION\\n")
    'x = 1\\n'
    """
    kept = HIDDEN_TESTS.sub("", source).splitlines(keepends=True)
    return "".join(line for line in kept if line.strip() not in (BEGIN, END))


def _notebook(at: Desk, numbers: bool) -> bytes:
    """The author's notebook, without nbgrader's metadata: nobody hands it in by mistake and gets points for
    it."""
    made: dict[str, Any] = json.loads(json.dumps(source_notebook(at)))
    right = {name: key.value for name, key in answers.keys(at.lab, at.course).items()} if numbers else {}
    for cell in made["cells"]:
        told = cell["metadata"].pop("nbgrader", {})
        cell["source"] = unmarked("".join(cell["source"])).rstrip("\n")
        if told.get("grade_id") == answers.CELL.format(lab=at.lab):
            cell["source"] = filled(cell["source"], right)
    return (json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def filled(source: str, right: Mapping[str, float]) -> str:
    """The answers cell with the right values in place of None.

    >>> filled('ANSWERS = {"a": None,  # nats\\n "b": None}', {"a": 1.5})
    'ANSWERS = {"a": 1.5,  # nats\\n "b": None}'
    """
    for name, value in right.items():
        source = re.sub(rf"""(["']{re.escape(name)}["']\s*:\s*)None""", rf"\g<1>{value:.6g}", source)
    return source


def secrets(at: Desk) -> list[leaks.Answer]:
    """Hidden cases and keys, and mutants less what a solution region has too (a mutant keeps most of one)."""
    right = {
        answer.shape
        for file in at.course.solutions.glob("*.py")
        for answer in leaks.answers_in(file.read_text(encoding="utf-8"), file.name)
    }
    found = []
    for answer in leaks.answers(at.course.solutions, at.course.package / "checks"):
        room = Path(answer.origin).parts[1]
        if room == "hidden" or (room == "mutants" and answer.shape not in right):
            found.append(answer)
    return found
