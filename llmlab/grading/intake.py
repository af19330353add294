"""The intake: from what a student handed in to what is graded. It executes nothing and never writes to the
inbox.

    read_attempt    one folder of files -> the files to grade, in memory, with what was put right
    store           those files -> submitted/<student>/<lab>/, and a record in the ledger

The expected files are taken under their own names, or found under others (`choosing`); encodings are
repaired (`untrusted`); the notebook is rebuilt on the released one (`rebuild`). Whatever cannot be read is
replaced by the released notebook, or left out, with the reason in the ledger: a submission is never lost and
never stops the rest.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmlab.grading import choosing
from llmlab.grading.course import CourseError
from llmlab.grading.handed_in import HandedIn
from llmlab.grading.ledger import MISSING, REFUSED, UNREADABLE, Ledger, digest, write_atomic
from llmlab.grading.places import Desk, is_student
from llmlab.grading.rebuild import NotebookError, parse, rebuild
from llmlab.grading.receipt import RECEIPT, differences
from llmlab.grading.untrusted import FileProblem, module_bytes, printable, take, text_of

VERSION = "2"
OK = "ok"
TIMESTAMP = "timestamp.txt"
"""Where nbgrader looks for the time at which a submission arrived."""
ATTEMPTS = ".attempts"
"""Where earlier attempts are kept, beside the newest one (see `attempts`)."""


@dataclass(frozen=True)
class Part:
    """One expected file: "ok", "missing" or "unreadable", and why."""

    name: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Intake:
    """What the intake made of one attempt. `files` is what is graded; the ledger gets the rest."""

    student: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    files: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def part(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)

    @property
    def key(self) -> str:
        return submission_key(self.files)

    def to_json(self) -> dict[str, Any]:
        parts = [{"name": part.name, "status": part.status, "reason": part.reason} for part in self.parts]
        return {"student": self.student, "parts": parts, "notes": list(self.notes)}


def entries(desk: Desk, inbox: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """The students who handed in this lab, and the (name, reason) of inbox entries that cannot be a
    student's. Sorted.
    """
    if not inbox.is_dir():
        raise CourseError(
            f"There is no inbox {inbox}. Put submissions into {inbox}/<student>/{desk.lab}/, or name another."
        )
    students, refused = [], []
    for entry in sorted(os.scandir(inbox), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if entry.is_symlink() or not entry.is_dir(follow_symlinks=False):
            refused.append((printable(entry.name), "not a folder; expected <student id>/" + desk.lab))
        elif not is_student(entry.name):
            refused.append(
                (
                    printable(entry.name),
                    (
                        "this folder's name cannot be a student id "
                        "(letters, digits and _ . @ -, at most 64): rename it to the id"
                    ),
                )
            )
        else:
            lab, older = Path(entry.path, desk.lab), Path(entry.path, ATTEMPTS, desk.lab)
            if lab.is_symlink() or (lab.exists() and not lab.is_dir()):
                refused.append((entry.name, f"{desk.lab} is not a folder"))
            elif lab.is_dir() or (not older.is_symlink() and older.is_dir() and any(older.iterdir())):
                students.append(entry.name)
    return students, refused


def read_attempt(desk: Desk, student: str, folder: Path, master: bytes) -> Intake:
    """Read one attempt: the files in `folder`. Writes nothing, raises nothing for what a student can do.

    master: the bytes of the released notebook.
    """
    released = json.loads(master)
    expected = (desk.notebook, *(f"{module}.py" for module in desk.modules))
    files = HandedIn(folder, (*expected, RECEIPT))
    notes, parts, used = list(files.notes), [], {}
    for name in expected:
        why = ""
        if name == desk.notebook:
            source, said = choosing.notebook(files, name, released)
        else:
            functions = tuple(task.function for task in desk.tasks if f"{task.module}.py" == name)
            taken = frozenset({*used.values(), *expected} - {name})
            source, said, why = choosing.module(files, name, functions, taken)
        notes += said
        parts.append(_part(files, name, source, why))
        if parts[-1].status == OK:
            used[name] = source
    made: dict[str, bytes] = {}
    for number, part in enumerate(parts):
        raw = files[used[part.name]] if part.status == OK else None
        if part.name == desk.notebook:
            made[part.name], parts[number] = _notebook(part, raw, released, notes)
        elif raw is not None:
            made[part.name], repaired = module_bytes(raw)
            notes += [f"{part.name} {repaired}"] if repaired else []
    known = {*used.values(), *expected, RECEIPT}
    extra = [name for name in (*files.names, *files.others) if name not in known]
    if extra:
        listed = ", ".join(printable(name, 40) for name in extra[:5]) + (", ..." if len(extra) > 5 else "")
        notes.append(f"not used: {listed}")
    if RECEIPT in files:
        notes += differences(files[RECEIPT], {name: files[source] for name, source in used.items()})
    return Intake(student, tuple(parts), tuple(dict.fromkeys(notes)), made)


def _part(files: HandedIn, name: str, source: str, why: str) -> Part:
    """What became of an expected file that was looked for in `source`."""
    if source in files:
        return Part(name, OK)
    problem = files.problem(source)
    if problem is not None and problem.status != MISSING:
        return Part(name, problem.status, str(problem))
    return Part(name, MISSING, why or f"{name} was not handed in")


def store(desk: Desk, ledger: Ledger, intake: Intake, arrived: datetime | None = None) -> None:
    """Write `submitted/<student>/<lab>/` and the ledger's record. What says the same already is not written.

    arrived: when it arrived, by the trusted clock; nbgrader and formgrader then show how late it is.
    """
    files = dict(intake.files)
    if arrived is not None:
        files[TIMESTAMP] = f"{arrived.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC\n".encode()
    _write(desk.submitted(intake.student), files)
    ledger.write(intake.student, "intake", intake.to_json() | {"key": intake.key})


def receive(desk: Desk, ledger: Ledger, student: str, inbox: Path, master: bytes) -> Intake:
    """Read and store the newest attempt, as it lies in the inbox."""
    intake = read_attempt(desk, student, inbox / student / desk.lab, master)
    store(desk, ledger, intake)
    return intake


def submission_key(files: dict[str, bytes]) -> str:
    """Names and bytes of what is graded, as one hash."""
    return digest(VERSION, *[part for item in sorted(files.items()) for part in item])


def _notebook(part: Part, raw: bytes | None, master: dict[str, Any], notes: list[str]) -> tuple[bytes, Part]:
    """The notebook to grade: rebuilt, or the released one if there is nothing to rebuild from."""
    cells = []
    if raw is not None:
        text, repaired = text_of(raw)
        notes += [f"{part.name} {repaired}"] if repaired else []
        try:
            cells = parse(text)
        except NotebookError as error:
            part = Part(part.name, UNREADABLE, f"{part.name} cannot be read: {error}")
    if part.status != OK:
        return _bytes(rebuild(master, []).notebook), part
    rebuilt = rebuild(master, cells)
    notes += rebuilt.notes
    return _bytes(rebuilt.notebook), part


def _bytes(notebook: dict[str, Any]) -> bytes:
    return (
        json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace") + b"\n"
    )


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Make `folder` hold exactly these files; files that are right already are not touched."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.name not in files and entry.is_file():
            entry.unlink()
    for name, content in files.items():
        if not (folder / name).is_file() or (folder / name).read_bytes() != content:
            write_atomic(folder / name, content)


__all__ = [
    "OK",
    "REFUSED",
    "FileProblem",
    "Intake",
    "Part",
    "entries",
    "module_bytes",
    "printable",
    "read_attempt",
    "receive",
    "store",
    "submission_key",
    "take",
    "text_of",
]
