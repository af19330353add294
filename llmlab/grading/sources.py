"""Where submissions come from: an inbox folder, a class's archive from Moodle or Canvas (packed, or unpacked
by a browser), one student's zip. It says who handed in which files, and takes nothing in.

    ada/lab1/decoding.py                                                folder
    Ada Lovelace_12345_assignsubmission_file_/decoding.py               moodle
    lovelaceada_12345_67890_decoding.py, lovelaceada_LATE_...-1.py      canvas
    lab1/decoding.py                                                    zip (one student's)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from llmlab.grading import archives
from llmlab.grading.course import CourseError
from llmlab.grading.people import Person
from llmlab.grading.places import labs
from llmlab.grading.untrusted import listing, take

FOLDER, MOODLE, CANVAS, ZIP = "folder", "moodle", "canvas", "zip"
KINDS = ("auto", MOODLE, CANVAS, FOLDER, ZIP)
MOODLE_NAME = re.compile(
    r"(?P<name>[^/]+?)_(?P<number>\d+)_assignsubmission_[a-z]+(?:_/?|/)(?P<file>.+)", re.DOTALL
)
CANVAS_NAME = re.compile(
    r"(?P<name>[^_/]+)_(?:(?P<late>LATE)_)?(?P<number>\d+)_(?P<file_id>\d+)_(?P<file>[^/]+)", re.DOTALL
)
LAB = re.compile(r"lab\d+")
AGAIN = re.compile(r"(?P<stem>.+)-(?P<count>\d{1,4})(?P<suffix>\.[a-z]+)")
"""What Canvas makes of the name of a file that is handed in once more."""


class Source(Protocol):
    """A folder or an archive: the paths in it, and the bytes of each."""

    names: list[str]
    refused: list[tuple[str, str]]

    def read(self, name: str) -> bytes: ...


class Folder:
    """A folder as a source."""

    def __init__(self, path: Path):
        self.path, self.refused = path, []
        self.names = list(listing(path, entries=500_000, depth=8))

    def read(self, name: str) -> bytes:
        return take(self.path / name, archives.MAX_PACKED)


@dataclass
class Delivery:
    """What one person handed in: path -> path in the source."""

    label: str
    person: Person
    files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def kind_of(names: list[str], lab: str, ids: set[str]) -> str:
    """What a source looks like by the paths in it; "" if like nothing known."""
    names = [name for name in names if archives.useful(name)]
    if any(MOODLE_NAME.fullmatch(name) for name in names):
        return MOODLE
    if any(CANVAS_NAME.fullmatch(name) for name in names):
        return CANVAS
    tops = [name.split("/") for name in names]
    if any(len(parts) > 2 and parts[1] == lab and parts[0] != lab for parts in tops):
        return FOLDER
    if any((parts[0] if len(parts) > 1 else archives.stem(parts[0])) in ids for parts in tops):
        return FOLDER
    if any(parts[-1] == f"{lab}.ipynb" or parts[-1].endswith(".py") for parts in tops if len(parts) < 3):
        return ZIP
    return ""


def deliveries(
    names: list[str], kind: str, lab: str, ids: set[str], student: str, expected: set[str]
) -> tuple[list[Delivery], list[str]]:
    """Who handed in what, sorted; and the paths that belong to nobody. Raises CourseError if the source does
    not tell whose it is.
    """
    found: dict[tuple, Delivery] = {}
    lost: list[str] = []
    for name in names:
        if not archives.useful(name) or (kind == FOLDER and _is_other_lab(name, lab)):
            continue
        told = _told(name, kind, lab, ids, student)
        if told is None:
            lost.append(name)
            continue
        person, label, path, late = told
        delivery = found.setdefault((person.id, person.number, person.name), Delivery(label, person))
        delivery.files[path] = name
        if late and not delivery.notes:
            delivery.notes.append("the platform marked it late")
    for delivery in found.values():
        if kind == CANVAS:
            delivery.files = _newest(delivery.files, expected)
    return sorted(found.values(), key=lambda one: one.label), lost


def _told(name: str, kind: str, lab: str, ids: set[str], student: str) -> tuple | None:
    """(person, label, path within the delivery, marked late) of one path; None if it is nobody's."""
    if kind == MOODLE and (match := MOODLE_NAME.fullmatch(name)):
        person = Person(number=match["number"], name=match["name"])
        return person, f"{person.name}_{person.number}", match["file"], False
    if kind == CANVAS and (match := CANVAS_NAME.fullmatch(name)):
        person = Person(number=match["number"], name=match["name"])
        return person, f"{person.name}_{person.number}", match["file"], bool(match["late"])
    if kind == FOLDER:
        top, _, rest = name.partition("/")
        if not rest and archives.is_archive(top):
            return Person(id=archives.stem(top)), top, top, False
        first, _, inside = rest.partition("/")
        if inside and first == lab:
            return Person(id=top), top, inside, False
        if rest and (not inside or top in ids):
            return Person(id=top), top, rest, False
    if kind == ZIP:
        if not student:
            raise CourseError("The archive does not say whose it is. Give the student's id: --student ID.")
        return Person(id=student), student, name.removeprefix(f"{lab}/"), False
    return None


def _is_other_lab(name: str, lab: str) -> bool:
    """True for what lies in a student's folder of another lab: `ada/lab2/...`."""
    parts = name.split("/")
    return len(parts) > 2 and parts[1] != lab and (parts[1] in labs() or bool(LAB.fullmatch(parts[1])))


def _newest(files: dict[str, str], expected: set[str]) -> dict[str, str]:
    """Of `decoding.py`, `decoding-1.py`, `decoding-2.py` the last is `decoding.py`; the others are kept."""
    versions: dict[str, list[tuple[int, str]]] = {}
    for path in files:
        match = AGAIN.fullmatch(path)
        name = match["stem"] + match["suffix"] if match else path
        if name in expected:
            versions.setdefault(name, []).append((int(match["count"]) if match else 0, path))
    counted = {path for known in versions.values() for _, path in known}
    made = {path: where for path, where in files.items() if path not in counted}
    for name, known in versions.items():
        *earlier, (_, newest) = sorted(known)
        made[name] = files[newest]
        for count, path in earlier:
            stem, _, suffix = name.rpartition(".")
            made[f"earlier/{stem}-{count}.{suffix}"] = files[path]
    return made


def without_top(names: list[str]) -> str:
    """The one folder that holds everything, with its `/`; "" if there is none."""
    tops = {name.partition("/")[0] for name in names if archives.useful(name)}
    return f"{tops.pop()}/" if len(tops) == 1 and all("/" in name for name in names) else ""
