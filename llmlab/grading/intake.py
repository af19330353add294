"""The intake: from what a student handed in to what is graded. It executes nothing and
never writes to the inbox.

From `inbox/<student>/<lab>/` it takes regular files of the expected names and of bounded size, repairs
their encoding, rebuilds the notebook on the released one, and writes `submitted/<student>/<lab>/`.
Whatever cannot be read is replaced by the released notebook, or left out, with the reason in the ledger: a
submission is never lost and never stops the rest.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import stat
import tokenize
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llmlab.grading.course import CourseError
from llmlab.grading.ledger import MISSING, REFUSED, UNREADABLE, Ledger, digest, write_atomic
from llmlab.grading.places import Desk, is_student
from llmlab.grading.rebuild import NotebookError, parse, rebuild

VERSION = "1"
MAX_NOTEBOOK = 20 * 2**20
MAX_MODULE = 512 * 2**10
MAX_NAMES = 200
OK = "ok"
RECEIPT = "receipt.json"


class FileProblem(Exception):
    """A file is missing or cannot be taken; `status` is "missing" or "unreadable"."""

    def __init__(self, status: str, reason: str):
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Part:
    """One expected file: "ok", "missing" or "unreadable", and why."""

    name: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Intake:
    """What the intake made of one submission."""

    student: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...]

    def part(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"parts": [asdict(part) for part in self.parts], "notes": list(self.notes)}


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
            lab = Path(entry.path, desk.lab)
            if lab.is_symlink() or (lab.exists() and not lab.is_dir()):
                refused.append((entry.name, f"{desk.lab} is not a folder"))
            elif lab.is_dir():
                students.append(entry.name)
    return students, refused


def printable(name: str, limit: int = 80) -> str:
    """A file name as one safe line of text.

    >>> printable("a\\nb")
    'a\\\\nb'
    """
    text = name.encode("utf-8", "backslashreplace").decode()
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= limit else text[:limit] + "..."


def take(file: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; links, pipes and devices are not opened.
    Raises FileProblem.
    """
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise FileProblem(MISSING, f"{file.name} was not handed in") from None
    except OSError as error:
        raise FileProblem(
            UNREADABLE, f"{file.name} cannot be opened as a plain file: {error.strerror}"
        ) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise FileProblem(UNREADABLE, f"{file.name} is not a plain file")
        with open(handle, "rb", closefd=False) as stream:
            content = stream.read(limit + 1)
        if len(content) > limit:
            size = os.fstat(handle).st_size
            raise FileProblem(UNREADABLE, f"{file.name} has {size:,} bytes; the limit is {limit:,}")
    except OSError as error:
        raise FileProblem(UNREADABLE, f"{file.name} cannot be read: {error.strerror}") from None
    finally:
        os.close(handle)
    return content


def text_of(raw: bytes) -> tuple[str, str]:
    """Decoded text, and what had to be repaired ("" if nothing): BOMs are dropped, what is not UTF-8 is
    read as Latin-1.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return raw.decode("utf-16"), "was UTF-16"
        except UnicodeDecodeError:
            return raw.decode("latin-1"), "was not UTF-8 and was read as Latin-1"
    try:
        return raw.decode("utf-8-sig"), "began with a byte order mark" if raw.startswith(
            codecs.BOM_UTF8
        ) else ""
    except UnicodeDecodeError:
        return raw.decode("latin-1"), "was not UTF-8 and was read as Latin-1"


def module_bytes(raw: bytes) -> tuple[bytes, str]:
    """A module's bytes as Python will read them, and what was repaired. Bytes that Python can read stay
    untouched.
    """
    try:
        coding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        raw.decode(coding)
        if coding != "utf-8-sig":
            return raw, ""
    except (SyntaxError, UnicodeDecodeError, LookupError):
        pass  # undeclared bytes: repaired below
    text, repaired = text_of(raw)
    return text.encode("utf-8"), repaired


def receive(desk: Desk, ledger: Ledger, student: str, inbox: Path, master: bytes) -> Intake:
    """Take in one submission. Doing it again without a change in the inbox or the release writes nothing."""
    folder = inbox / student / desk.lab
    contents: dict[str, bytes] = {}
    parts, notes = [], []
    names = sorted(os.listdir(folder))
    for name in (desk.notebook, *(f"{module}.py" for module in desk.modules)):
        source = name if name in names or name != desk.notebook else _renamed(names, notes, name)
        try:
            contents[name] = take(folder / source, MAX_NOTEBOOK if name == desk.notebook else MAX_MODULE)
            parts.append(Part(name, OK))
        except FileProblem as problem:
            parts.append(Part(name, problem.status, str(problem)))
    expected = {part.name for part in parts} | {RECEIPT}
    extra = [name for name in names if name not in expected and not name.startswith(".")]
    if extra:
        listed = ", ".join(printable(name, 40) for name in extra[:5]) + (", ..." if len(extra) > 5 else "")
        notes.append(f"not used: {listed}")
    made: dict[str, bytes] = {}
    for number, part in enumerate(parts):
        if part.name == desk.notebook:
            made[part.name], parts[number] = _notebook(
                part, contents.get(part.name), json.loads(master), notes
            )
        elif part.status == OK:
            made[part.name], repaired = module_bytes(contents[part.name])
            notes += [f"{part.name} {repaired}"] if repaired else []
    intake = Intake(student, tuple(parts), tuple(notes))
    _write(desk.submitted(student), made)
    ledger.write(student, "intake", intake.to_json() | {"key": submission_key(made)})
    return intake


def submission_key(files: dict[str, bytes]) -> str:
    """Names and bytes of what is graded, as one hash."""
    return digest(VERSION, *[part for item in sorted(files.items()) for part in item])


def _renamed(names: list[str], notes: list[str], wanted: str) -> str:
    """The one notebook under another name ("lab1 (1).ipynb"), if it is the only one; else the wanted name."""
    others = [name for name in names if name.endswith(".ipynb")]
    if len(others) != 1:
        return wanted
    notes.append(f"{printable(others[0])} was taken for {wanted}")
    return others[0]


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


__all__ = ["REFUSED", "Intake", "Part", "entries", "receive", "submission_key"]
