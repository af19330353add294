"""Attempts: each handing-in of a student, with the time at which it arrived by the trusted clock. It reads
no notebook and grades nothing.

    inbox/<student>/<lab>/                    the newest attempt; also what a person puts there by hand
    inbox/<student>/.attempts/<lab>/<n>/      older ones
    arrivals/<lab>/<student>/attempts.json    the record: number, hash of the files, time, where it is from

The record lies outside the inbox, and the hash ties a time to the files that arrived then: a folder that was
changed later is a new attempt with a new time. The time is the learning platform's or the instructor's, where
one was given at collecting; else that of collecting, or of the first sight of a folder that nobody collected.
Nothing that a student writes (a receipt, a file's time, a notebook's metadata) is a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmlab.grading import deadlines
from llmlab.grading.archives import useful
from llmlab.grading.course import CourseError
from llmlab.grading.deadlines import BEST, Terms
from llmlab.grading.intake import ATTEMPTS
from llmlab.grading.ledger import digest, write_atomic
from llmlab.grading.places import Desk
from llmlab.grading.untrusted import FileProblem, listing, safe_path, take

ARRIVALS = "arrivals"
LMS, GIVEN, COLLECTED, SEEN = "platform", "instructor", "collected", "seen"
"""Where a time is from, most telling first."""
MAX_HASHED = 64 * 2**20


@dataclass(frozen=True)
class Attempt:
    """One handing-in. `seconds_late` is 0 if it is in time."""

    folder: Path
    number: int
    arrived: datetime
    origin: str
    key: str
    seconds_late: float = 0.0

    @property
    def late(self) -> bool:
        return self.seconds_late > 0


def of(
    desk: Desk,
    student: str,
    inbox: Path | None = None,
    terms: Terms | None = None,
    now: datetime | None = None,
) -> list[Attempt]:
    """The attempts of a student, oldest first. A folder that is seen for the first time is recorded as
    arrived now. Raises CourseError if the record or the deadlines cannot be read.
    """
    inbox, terms = inbox or desk.inbox, terms or deadlines.read(desk)
    record = _record(desk, student)
    known = json.dumps(record)
    there: dict[int, tuple[Path, str]] = {}
    for folder in _folders(desk, student, inbox):
        key = key_of(folder)
        entry = _entry(record, key, there)
        if entry is None:
            entry = _new(record, key, now or datetime.now(UTC), SEEN)
        there[entry["number"]] = folder, key
    if json.dumps(record) != known:
        _keep(desk, student, record)
    found = []
    for entry in record:
        if entry["number"] in there:
            arrived = datetime.fromisoformat(entry["arrived"])
            folder, key = there[entry["number"]]
            seconds = terms.seconds_late(student, arrived)
            found.append(Attempt(folder, entry["number"], arrived, entry["origin"], key, seconds))
    return sorted(found, key=lambda attempt: (attempt.arrived, attempt.number))


def eligible(found: list[Attempt], terms: Terms) -> list[Attempt]:
    """The attempts to grade, oldest first: all that count if the best one counts, else the last of them.
    [] if all of them came too late.
    """
    counted = [attempt for attempt in found if not (attempt.late and terms.late.refused)]
    return counted if terms.policy == BEST else counted[-1:]


def add(
    desk: Desk,
    student: str,
    files: Mapping[str, bytes],
    arrived: datetime,
    origin: str,
    inbox: Path | None = None,
) -> bool:
    """Put an attempt into the inbox. False if it is there already: then only a better known time is noted.

    files: relative path -> bytes; a name that no file system takes is written as one that it takes.
    """
    inbox = inbox or desk.inbox
    place = inbox / student / desk.lab
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise CourseError(f"{place} is not a folder. Move it away, then collect again.")
    present = of(desk, student, inbox, Terms())
    record = _record(desk, student)
    safe = {safe_path(name): content for name, content in files.items() if useful(name)}
    key = _digest({name: hashlib.sha256(content).hexdigest() for name, content in safe.items()})
    same = [attempt for attempt in present if attempt.key == key]
    newest = present[-1] if present else None
    told = origin in (LMS, GIVEN)
    again = bool(same) and told and newest.key != key and arrived > newest.arrived
    if same and not again:
        if told:
            entry = next(entry for entry in record if entry["number"] == same[-1].number)
            entry |= {"arrived": _iso(arrived), "origin": origin}
            _keep(desk, student, record)
            _settle(desk, student, inbox)
        return False
    older = inbox / student / ATTEMPTS / desk.lab
    fresh = older / f".{os.getpid()}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, content in safe.items():
        write_atomic(fresh / name, content)
    number = _new(record, key_of(fresh), arrived, origin)["number"]
    _keep(desk, student, record)  # before the files appear: a stop in between loses no time
    fresh.rename(_unused(older, number))
    _settle(desk, student, inbox)
    return True


def _settle(desk: Desk, student: str, inbox: Path) -> None:
    """The newest attempt into `<lab>/`, the one that lay there to the older ones. Each step is a rename, so a
    stop in between leaves every attempt where `of` finds it.
    """
    found = of(desk, student, inbox, Terms())
    place, older = inbox / student / desk.lab, inbox / student / ATTEMPTS / desk.lab
    if not found or found[-1].folder == place:
        return
    for attempt in found:
        if attempt.folder == place:
            older.mkdir(parents=True, exist_ok=True)
            place.rename(_unused(older, attempt.number))
    found[-1].folder.rename(place)


def _unused(older: Path, number: int) -> Path:
    name, count = str(number), 0
    while (older / name).exists():
        count += 1
        name = f"{number}-{count}"
    return older / name


def _folders(desk: Desk, student: str, inbox: Path) -> list[Path]:
    """Where attempts lie: the older ones by number, then the newest. Links are none."""
    older, place = inbox / student / ATTEMPTS / desk.lab, inbox / student / desk.lab
    found = []
    if older.is_dir() and not older.is_symlink() and not older.parent.is_symlink():
        found = [entry for entry in older.iterdir() if not entry.name.startswith(".")]
        found.sort(key=lambda entry: (len(entry.name), entry.name))
    return [folder for folder in [*found, place] if folder.is_dir() and not folder.is_symlink()]


def key_of(folder: Path) -> str:
    """One hash of names and bytes of the plain files in a folder."""
    hashes = {}
    for name, size in listing(folder).items():
        try:
            hashes[name] = hashlib.sha256(take(folder / name, MAX_HASHED)).hexdigest()
        except FileProblem:
            hashes[name] = f"{size} bytes"
    return _digest(hashes)


def _digest(hashes: dict[str, str]) -> str:
    return digest(*[part for item in sorted(hashes.items()) for part in item])


def _entry(record: list[dict[str, Any]], key: str, taken: Mapping[int, Any]) -> dict[str, Any] | None:
    """The record of a folder: the first with its key that no other folder has."""
    return next((one for one in record if one["key"] == key and one["number"] not in taken), None)


def _new(record: list[dict[str, Any]], key: str, arrived: datetime, origin: str) -> dict[str, Any]:
    number = 1 + max((entry["number"] for entry in record), default=0)
    record.append({"number": number, "key": key, "arrived": _iso(arrived), "origin": origin})
    return record[-1]


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _file(desk: Desk, student: str) -> Path:
    return desk.root / ARRIVALS / desk.lab / student / "attempts.json"


def _keep(desk: Desk, student: str, record: list[dict[str, Any]]) -> None:
    write_atomic(_file(desk, student), json.dumps(record, indent=1).encode() + b"\n")


def _record(desk: Desk, student: str) -> list[dict[str, Any]]:
    file = _file(desk, student)
    try:
        found = json.loads(file.read_bytes())
        for entry in found:
            if datetime.fromisoformat(entry["arrived"]).tzinfo is None:
                raise ValueError(f"{entry['arrived']} has no time zone")
            int(entry["number"]), str(entry["key"]), str(entry["origin"])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CourseError(
            f"{file} cannot be read ({type(error).__name__}). It holds the times of arrival: bring it back "
            "from a backup, or delete it: the attempts then count as arrived when they are next seen."
        ) from None
    return found
