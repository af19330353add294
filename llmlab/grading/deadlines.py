"""Deadlines: `assignments/deadlines.toml`, read and checked. It knows times and rules, no submission.

    timezone = "Europe/Berlin"          # for times without an offset

    [lab1]
    due = 2026-11-20T23:59:00           # or with an offset: 2026-11-20T23:59:00+01:00
    policy = "best"                     # which attempt counts: "last" (default) or "best"
    late = "refuse"                     # or "accept" (default), or points off for each day begun:
    # late = { percent_per_day = 10, at_most = 50 }

    [lab1.students.ada]
    due = 2026-11-27T23:59:00           # an extension
    [lab1.students.grace]
    excused = true                      # no deadline holds

Without the file, or for a lab that is not in it, there is no deadline and the last attempt counts.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from llmlab.grading.course import CourseError
from llmlab.grading.places import Desk, is_student, labs
from llmlab.grading.untrusted import printable

FILE = "deadlines.toml"
EXAMPLE = """\
timezone = "Europe/Berlin"
[{lab}]
due = 2026-11-20T23:59:00
policy = "best"                              # or "last", the default
late = {{ percent_per_day = 10, at_most = 50 }}  # or "refuse", or "accept", the default
[{lab}.students.ada]
due = 2026-11-27T23:59:00                    # an extension; or: excused = true
"""
LAST, BEST = "last", "best"
ACCEPT, REFUSE = "accept", "refuse"
DAY = 86_400
LAB_KEYS = ("due", "policy", "late", "students")
STUDENT_KEYS = ("due", "excused")


@dataclass(frozen=True)
class Late:
    """What becomes of late work: it counts in full, not at all, or with percent off for each day begun."""

    refused: bool = False
    percent_per_day: float = 0.0
    at_most: float = 100.0

    def penalty(self, score: float, seconds_late: float) -> float:
        """The points that are taken off `score`.

        >>> Late(percent_per_day=10, at_most=50).penalty(40.0, seconds_late=1.5 * DAY)
        8.0
        """
        if seconds_late <= 0 or score <= 0:
            return 0.0
        if self.refused:
            return score
        return score * min(self.percent_per_day * math.ceil(seconds_late / DAY), self.at_most) / 100

    def __str__(self) -> str:
        if self.refused:
            return "not counted"
        if not self.percent_per_day:
            return "counted in full"
        return f"{self.percent_per_day:g} % off for each day begun, at most {self.at_most:g} %"


@dataclass(frozen=True)
class Terms:
    """The rules of one lab."""

    due: datetime | None = None
    policy: str = LAST
    late: Late = Late()
    extensions: dict[str, datetime] = field(default_factory=dict)
    excused: frozenset[str] = frozenset()

    def due_for(self, student: str) -> datetime | None:
        """When the work of a student is due; None if no deadline holds for them."""
        return None if student in self.excused else self.extensions.get(student, self.due)

    def seconds_late(self, student: str, arrived: datetime) -> float:
        """How late something is that arrived then; 0 if it is in time."""
        due = self.due_for(student)
        return 0.0 if due is None else max(0.0, (arrived - due).total_seconds())

    def penalty(self, student: str, score: float, arrived: datetime) -> float:
        """The points that are taken off a score for lateness."""
        return self.late.penalty(score, self.seconds_late(student, arrived))

    def key(self, student: str) -> str:
        """Changes when the rules change that this student's grade depends on."""
        return repr((self.due_for(student), self.due, self.policy, self.late))


def read(desk: Desk) -> Terms:
    """The rules of the desk's lab. Raises CourseError naming file, key and value."""
    return terms(desk.root / FILE, desk.lab)


def terms(file: Path, lab: str) -> Terms:
    """The rules of a lab in a file; the whole file is checked. Raises CourseError."""
    if not file.is_file():
        return Terms()
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise CourseError(f"{file} cannot be read as TOML: {error}.") from None
    zone = _zone(file, data.pop("timezone", None))
    known = labs()
    made = {}
    for name, table in data.items():
        if name not in known:
            raise CourseError(
                f"{file}: {printable(name)!r} is no lab. The labs are: {', '.join(known)}. "
                "Times without an offset need `timezone` above the first lab."
            )
        made[name] = _lab(file, name, table, zone)
    return made.get(lab, Terms())


def timezone(file: Path) -> tzinfo | None:
    """The file's time zone, for times that are read elsewhere; None if it names none."""
    if not file.is_file():
        return None
    try:
        return _zone(file, tomllib.loads(file.read_text(encoding="utf-8-sig")).get("timezone"))
    except (OSError, ValueError, RecursionError) as error:
        raise CourseError(f"{file} cannot be read as TOML: {error}.") from None


def _zone(file: Path, name: Any) -> tzinfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise CourseError(
            f"{file}: timezone = {_shown(name)} is not known. Write a name such as 'Europe/Berlin' or 'UTC'."
        ) from None


def _lab(file: Path, lab: str, table: Any, zone: tzinfo | None) -> Terms:
    _check_keys(file, lab, table, LAB_KEYS)
    due = moment(table["due"], zone, f"{file}: {lab}.due") if "due" in table else None
    policy = table.get("policy", LAST)
    if policy not in (LAST, BEST):
        raise CourseError(f"{file}: {lab}.policy = {_shown(policy)}. Write 'last' or 'best'.")
    extensions, excused = {}, set()
    students = table.get("students", {})
    _check_keys(file, f"{lab}.students", students, None)
    for student, told in students.items():
        where = f"{lab}.students.{printable(student)}"
        if not is_student(student):
            raise CourseError(f"{file}: {where}: {printable(student)!r} cannot be a student id.")
        _check_keys(file, where, told, STUDENT_KEYS)
        if "due" in told:
            extensions[student] = moment(told["due"], zone, f"{file}: {where}.due")
            if due is None or extensions[student] < due:
                first = "the lab has no due date" if due is None else f"the lab is due {due.isoformat()}"
                raise CourseError(
                    f"{file}: {where}.due = {_shown(told['due'])} is no extension: {first}. "
                    "Give a later time."
                )
        if told.get("excused", False) not in (True, False):
            raise CourseError(f"{file}: {where}.excused = {_shown(told['excused'])}. Write true or false.")
        if told.get("excused"):
            excused.add(student)
    late = _late(file, f"{lab}.late", table.get("late", ACCEPT))
    return Terms(due, policy, late, extensions, frozenset(excused))


def _late(file: Path, where: str, told: Any) -> Late:
    if told == ACCEPT:
        return Late()
    if told == REFUSE:
        return Late(refused=True)
    if not isinstance(told, dict):
        raise CourseError(
            f"{file}: {where} = {_shown(told)}. Write 'accept', 'refuse' or {{ percent_per_day = 10 }}."
        )
    _check_keys(file, where, told, ("percent_per_day", "at_most"))
    if "percent_per_day" not in told:
        raise CourseError(f"{file}: {where} has no percent_per_day. Write {{ percent_per_day = 10 }}.")
    for key, value in told.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
            raise CourseError(f"{file}: {where}.{key} = {_shown(value)}. Write a number from 0 to 100.")
    return Late(percent_per_day=float(told["percent_per_day"]), at_most=float(told.get("at_most", 100)))


def moment(value: Any, zone: tzinfo | None, where: str) -> datetime:
    """A point in time, with its zone, from a TOML time or an ISO text. Raises CourseError naming `where`."""
    if isinstance(value, str):
        for kind in (date, datetime):  # a day first: as a time it would be its midnight
            try:
                value = kind.fromisoformat(value.strip())
                break
            except ValueError:
                continue
    if not isinstance(value, datetime):
        what = "a day without a time" if isinstance(value, date) else "not a time"
        raise CourseError(f"{where} = {_shown(value)} is {what}. Write it as 2026-11-20T23:59:00+01:00.")
    if value.tzinfo is None:
        if zone is None:
            raise CourseError(
                f"{where} = {value.isoformat()} has no time zone. Write {value.isoformat()}+01:00, "
                f'or set timezone = "Europe/Berlin" at the top of {FILE}.'
            )
        value = value.replace(tzinfo=zone)
    try:
        return value.astimezone(UTC)
    except (OverflowError, ValueError):
        raise CourseError(f"{where} = {_shown(value)} is out of range.") from None


def _check_keys(file: Path, where: str, table: Any, known: tuple[str, ...] | None) -> None:
    if not isinstance(table, dict):
        raise CourseError(f"{file}: {where} = {_shown(table)} is no table. Write [{where}].")
    unknown = [key for key in table if known is not None and key not in known]
    if unknown:
        raise CourseError(
            f"{file}: {where} has the unknown key {printable(unknown[0])!r}. Known: {', '.join(known)}."
        )


def _shown(value: Any) -> str:
    return printable(value.isoformat() if isinstance(value, date) else repr(value))
