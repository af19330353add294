"""Collects submissions into the inbox: from a folder, a class's archive of Moodle or Canvas, or one student's
zip. It grades nothing and runs nothing; what it cannot take is kept in the quarantine, and the rest goes on.

Collecting the same source again adds nothing. Who handed in is decided by folder name, roster and the
platform's list; when, by the platform's list, the instructor's word, or the clock at collecting. What a
student writes decides neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from llmlab.grading import archives, attempts, deadlines, quarantine, roster, sources
from llmlab.grading.archives import ArchiveError, Zip, check_collisions, unpack
from llmlab.grading.course import CourseError
from llmlab.grading.people import People, read_list
from llmlab.grading.places import Desk, is_student
from llmlab.grading.sources import Delivery, Folder, Source, deliveries, kind_of, without_top
from llmlab.grading.untrusted import FileProblem, printable, take

ADDED, KNOWN, UNMATCHED, REFUSED = "taken", "known already", "nobody's", "refused"
Progress = Callable[[str, int, int], None]
"""progress(label, done, total)"""


@dataclass(frozen=True)
class Outcome:
    """What became of one delivery, or of a path that is nobody's."""

    label: str
    what: str
    student: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Collected:
    """The result of collecting a source."""

    lab: str
    kind: str
    outcomes: tuple[Outcome, ...]

    def count(self, what: str) -> int:
        return sum(one.what == what for one in self.outcomes)


@dataclass
class _Given:
    """A source that is held in memory or lies under one folder of another source."""

    names: list[str]
    refused: list[tuple[str, str]]
    read: Callable[[str], bytes] = field(repr=False)


def collect(
    desk: Desk,
    path: Path,
    kind: str = "auto",
    received: datetime | None = None,
    listed: Path | None = None,
    student: str = "",
    progress: Progress | None = None,
    now: datetime | None = None,
) -> Collected:
    """Bring the submissions in `path` into the inbox. Raises CourseError if the source, the list or the
    roster cannot be read, or if one student's archive does not tell whose it is.

    kind: one of sources.KINDS. received: when all of it arrived, if the instructor knows. listed: the
    platform's list, with persons and times. student: whose it is, for one student's archive.
    """
    with alone(desk.ledger.parent / ".collecting"):
        return _collect(desk, path, kind, received, listed, student, progress, now or datetime.now(UTC))


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Nobody else is in here meanwhile: two at once could give two attempts the same number. Raises CourseError.

    The lock goes with its process, however that ends. Where the system has no such locks (Windows), nothing is locked.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CourseError("Another `llmlab collect` is at work on this course. Run this one when it has ended.") from None
        yield


def _collect(
    desk: Desk,
    path: Path,
    kind: str,
    received: datetime | None,
    listed: Path | None,
    student: str,
    progress: Progress | None,
    now: datetime,
) -> Collected:
    _check(path, kind, received, student, now)
    table = read_list(listed, deadlines.timezone(desk.root / deadlines.FILE)) if listed else None
    people = People(roster.read(desk.roster), table)
    source, kind, whose = _open(desk, path, kind, people.ids, student)
    expected = {desk.notebook, *(f"{module}.py" for module in desk.modules)}
    wanted = expected | {f"{desk.lab}{suffix}" for suffix in archives.SUFFIXES}
    found, lost = deliveries(source.names, kind, desk.lab, people.ids, whose, wanted)
    outcomes: list[Outcome] = []
    for name, reason in source.refused:
        quarantine.keep(desk, name, f"{reason} (left in {path.name})", {})
        outcomes.append(Outcome(printable(name), REFUSED, reason=reason))
    owners = [people.find(delivery.person)[0] for delivery in found]
    for number, delivery in enumerate(found):
        if progress:
            progress(printable(delivery.label), number, len(found))
        owner, why = people.find(delivery.person)
        if owner and owners.count(owner) > 1:
            owner, why = "", f"more than one delivery fits {owner}"
        elif owner and not is_student(owner):
            owner, why = "", "this name cannot be a student id (letters, digits and _ . @ -, at most 64)"
        arrived, origin = received or now, attempts.GIVEN if received else attempts.COLLECTED
        if owner and (told := people.arrived(delivery.person, owner)):
            arrived, origin = told, attempts.LMS
        outcomes += _bring(desk, source, delivery, owner, why, arrived, origin)
    for name in lost:
        outcomes.append(_keep_one(desk, source, name, "its name says neither whose nor what it is"))
    if isinstance(source, Zip):
        source.zip.close()
    return Collected(desk.lab, kind, tuple(outcomes))


def _check(path: Path, kind: str, received: datetime | None, student: str, now: datetime) -> None:
    if kind not in sources.KINDS:
        raise CourseError(f"--from {kind!r} is not known. Write one of {', '.join(sources.KINDS)}.")
    if not path.exists():
        raise CourseError(f"There is no {path}. Give the folder or the zip that holds the submissions.")
    if student and not is_student(student):
        raise CourseError(f"--student {printable(student)!r} cannot be a student id.")
    if received is not None and received > now:
        raise CourseError(f"--received {received.isoformat()} is in the future. Give the time of arrival.")


def _open(
    desk: Desk, path: Path, kind: str, ids: set[str], student: str
) -> tuple[Source, str, str]:
    """(source, its kind, whose it is if it is one student's)."""
    if path.is_dir():
        source: Source = Folder(path)
    else:
        try:
            source = Zip(path, archives.CLASS)
        except ArchiveError as error:
            if kind not in ("auto", sources.ZIP) or (not student and archives.stem(path.name) not in ids):
                raise CourseError(f"{path}: {error}. If it is one student's, give --student ID.") from None
            source = _Given([], [], dict().__getitem__)
    for prefix in ("", without_top(source.names)):
        inside = [name.removeprefix(prefix) for name in source.names]
        seen = kind_of(inside, desk.lab, ids)
        if seen in (sources.MOODLE, sources.CANVAS, sources.FOLDER) or seen == kind:
            break
    else:
        prefix, inside = "", source.names
    if kind == "auto":
        one = path.is_file() and (bool(student) or archives.stem(path.name) in ids)
        kind = sources.ZIP if one or student else seen or (sources.ZIP if path.is_file() else "")
        if kind == sources.FOLDER and path.is_file():  # a student could pack it so, in a classmate's name
            raise CourseError(
                f"{path} holds folders of students. If you packed it yourself, add --from folder; if a "
                "student did, say who: --student ID."
            )
    if not kind:
        raise CourseError(
            f"{path} looks like no known source of {desk.lab}. Name it with --from "
            f"{', '.join(sources.KINDS[1:])}; a folder holds <student>/{desk.lab}/."
        )
    if kind != sources.ZIP or path.is_dir():
        read = source.read
        if prefix:
            return _Given(inside, source.refused, lambda name: read(prefix + name)), kind, student
        return source, kind, student
    whose = student or next((name for name in (archives.stem(path.name),) if name in ids), "")
    if not whose:
        raise CourseError(f"{path} does not say whose it is. Give the student's id: --student ID.")
    # opened by the strict rules when it is read
    return _Given([f"{desk.lab}.zip"], [], lambda _: take(path.resolve(), archives.MAX_PACKED)), kind, whose


def _bring(
    desk: Desk, source: Source, delivery: Delivery, owner: str, why: str, arrived: datetime, origin: str
) -> list[Outcome]:
    """Take one delivery in; what cannot be taken goes to the quarantine."""
    label, files, outcomes = printable(delivery.label), {}, []
    total = 0
    for name, where in delivery.files.items():
        raw = None
        try:
            raw = source.read(where)
            found = unpack(raw) if archives.is_archive(name) else {name: raw}
            total += sum(map(len, found.values()))
            if total > archives.STUDENT.total:
                raise ArchiveError(f"more than {archives.STUDENT.total:,} bytes were handed in")
            if len(files) + len(found) > archives.STUDENT.entries:
                raise ArchiveError(f"more than {archives.STUDENT.entries:,} files were handed in")
        except (ArchiveError, FileProblem) as error:
            kept = {} if raw is None else {name: raw}
            quarantine.keep(desk, delivery.label, f"{printable(name)}: {error}", kept)
            outcomes.append(Outcome(label, REFUSED, owner, f"{printable(name)}: {error}"))
            continue
        if archives.is_archive(name):
            top = without_top(list(found))
            found = {inner.removeprefix(top): raw for inner, raw in found.items()}
            if len(delivery.files) > 1:
                found = {f"{archives.stem(name)}/{inner}": raw for inner, raw in found.items()}
        files |= found
    if not files:
        return outcomes or [Outcome(label, REFUSED, owner, "nothing was in it")]
    try:
        check_collisions(files)
    except ArchiveError as error:
        quarantine.keep(desk, delivery.label, str(error), files)
        return [*outcomes, Outcome(label, REFUSED, owner, str(error))]
    if not owner:
        quarantine.keep(desk, delivery.label, why, files)
        return [*outcomes, Outcome(label, UNMATCHED, reason=why)]
    added = attempts.add(desk, owner, files, arrived, origin)
    quarantine.discharge(desk, delivery.label, files)
    return [*outcomes, Outcome(label, ADDED if added else KNOWN, owner, "; ".join(delivery.notes))]


def _keep_one(desk: Desk, source: Source, name: str, why: str) -> Outcome:
    try:
        content = {name: source.read(name)}
    except (ArchiveError, FileProblem) as error:
        content, why = {}, f"{why}; {error}"
    quarantine.keep(desk, name, why, content)
    return Outcome(printable(name), UNMATCHED, reason=why)
