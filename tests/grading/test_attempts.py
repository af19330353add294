"""Attempts as a story: what arrives, when, and which of them count. Times are given, never measured."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from llmlab.grading import attempts, intake
from llmlab.grading.attempts import COLLECTED, LMS, add, eligible, of
from llmlab.grading.course import Course, CourseError
from llmlab.grading.deadlines import Late, Terms
from llmlab.grading.places import Desk

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FIRST, SECOND, THIRD = ({"decoding.py": f"x = {n}\n".encode()} for n in (1, 2, 3))
HOUR = timedelta(hours=1)


@pytest.fixture
def at(tmp_path):
    return Desk(Course(tmp_path), "lab1")


def source(attempt):
    return (attempt.folder / "decoding.py").read_bytes()


def by_hand(at, files, student="ada"):
    folder = at.inbox / student / "lab1"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_plain_folder_is_one_attempt_from_its_first_sight(at):
    folder = by_hand(at, FIRST)
    (found,) = of(at, "ada", now=NOON)
    assert (found.folder, found.number, found.arrived, found.origin) == (folder, 1, NOON, "seen")
    (again,) = of(at, "ada", now=NOON + HOUR)
    assert again.arrived == NOON


def test_nobody_has_no_attempts(at):
    assert of(at, "ada") == [] and not (at.root / "arrivals").exists()


def test_three_hand_ins_are_three_attempts_and_the_newest_lies_in_front(at):
    for number, files in enumerate((FIRST, SECOND, THIRD)):
        assert add(at, "ada", files, NOON + number * HOUR, COLLECTED)
    found = of(at, "ada")
    assert [source(one) for one in found] == [b"x = 1\n", b"x = 2\n", b"x = 3\n"]
    assert [one.number for one in found] == [1, 2, 3]
    assert found[-1].folder == at.inbox / "ada" / "lab1"
    assert [one.arrived for one in found] == [NOON, NOON + HOUR, NOON + 2 * HOUR]


def test_the_same_again_adds_nothing_and_writes_nothing(at):
    add(at, "ada", FIRST, NOON, COLLECTED)
    add(at, "ada", SECOND, NOON + HOUR, COLLECTED)
    before = tree(at.root)
    assert not add(at, "ada", SECOND, NOON + 5 * HOUR, COLLECTED)
    assert not add(at, "ada", FIRST, NOON + 5 * HOUR, COLLECTED)
    assert tree(at.root) == before


def test_an_older_one_that_comes_later_stays_behind(at):
    add(at, "ada", SECOND, NOON + HOUR, LMS)
    add(at, "ada", FIRST, NOON, LMS)
    assert [source(one) for one in of(at, "ada")] == [b"x = 1\n", b"x = 2\n"]
    assert (at.inbox / "ada" / "lab1" / "decoding.py").read_bytes() == b"x = 2\n"


def test_an_old_version_that_is_handed_in_again_counts_again(at):
    add(at, "ada", FIRST, NOON, LMS)
    add(at, "ada", SECOND, NOON + HOUR, LMS)
    assert add(at, "ada", FIRST, NOON + 2 * HOUR, LMS)
    assert [source(one) for one in of(at, "ada")] == [b"x = 1\n", b"x = 2\n", b"x = 1\n"]


def test_the_platforms_time_replaces_that_of_collecting(at):
    add(at, "ada", FIRST, NOON + HOUR, COLLECTED)
    assert not add(at, "ada", FIRST, NOON, LMS)
    (found,) = of(at, "ada")
    assert (found.arrived, found.origin) == (NOON, LMS)


def test_a_better_known_time_puts_the_newest_in_front(at):
    add(at, "ada", FIRST, NOON, COLLECTED)
    add(at, "ada", SECOND, NOON + HOUR, COLLECTED)
    add(at, "ada", SECOND, NOON - HOUR, LMS)
    assert [source(one) for one in of(at, "ada")] == [b"x = 2\n", b"x = 1\n"]
    assert (at.inbox / "ada" / "lab1" / "decoding.py").read_bytes() == b"x = 1\n"


def test_work_put_in_by_hand_is_kept_when_something_newer_is_collected(at):
    by_hand(at, FIRST)
    of(at, "ada", now=NOON)
    add(at, "ada", SECOND, NOON + HOUR, COLLECTED)
    assert [source(one) for one in of(at, "ada")] == [b"x = 1\n", b"x = 2\n"]


def test_a_folder_changed_after_the_deadline_is_a_new_attempt_with_a_new_time(at):
    folder = by_hand(at, FIRST)
    terms = Terms(NOON, late=Late(refused=True))
    of(at, "ada", terms=terms, now=NOON - HOUR)
    (folder / "decoding.py").write_bytes(b"x = 9\n")
    (found,) = of(at, "ada", terms=terms, now=NOON + HOUR)
    assert found.number == 2 and found.seconds_late == 3_600
    assert eligible([found], terms) == []


def test_an_older_attempt_that_was_changed_in_the_inbox_loses_its_time(at):
    add(at, "ada", FIRST, NOON, COLLECTED)
    add(at, "ada", SECOND, NOON + HOUR, COLLECTED)
    (of(at, "ada")[0].folder / "decoding.py").write_bytes(b"x = 9\n")
    assert [(source(one), one.arrived) for one in of(at, "ada", now=NOON + 9 * HOUR)] == [
        (b"x = 2\n", NOON + HOUR),
        (b"x = 9\n", NOON + 9 * HOUR),
    ]


def test_what_a_student_writes_is_no_time(at):
    receipt = {"packed": "1999-01-01T00:00:00+00:00", "arrived": "1999-01-01T00:00:00+00:00"}
    told = {"receipt.json": json.dumps(receipt).encode(), "timestamp.txt": b"1999-01-01"}
    folder = by_hand(at, FIRST | told)
    os.utime(folder / "decoding.py", (1, 1))
    (found,) = of(at, "ada", terms=Terms(NOON), now=NOON + HOUR)
    assert found.arrived == NOON + HOUR and found.late


@pytest.mark.parametrize(
    ("policy", "refused", "counted"),
    [
        ("last", False, [b"x = 3\n"]),
        ("best", False, [b"x = 1\n", b"x = 2\n", b"x = 3\n"]),
        ("last", True, [b"x = 2\n"]),
        ("best", True, [b"x = 1\n", b"x = 2\n"]),
    ],
)
def test_what_counts(at, policy, refused, counted):
    for number, files in enumerate((FIRST, SECOND, THIRD)):
        add(at, "ada", files, NOON + number * HOUR, LMS)
    terms = Terms(NOON + HOUR, policy, Late(refused=refused))
    found = of(at, "ada", terms=terms)
    assert [one.late for one in found] == [False, False, True]
    assert [source(one) for one in eligible(found, terms)] == counted


def test_an_extension_is_for_one_student(at):
    terms = Terms(NOON, extensions={"ada": NOON + 2 * HOUR}, excused=frozenset({"grace"}))
    for student in ("ada", "alan", "grace"):
        add(at, student, FIRST, NOON + HOUR, LMS)
    assert [of(at, name, terms=terms)[0].late for name in ("ada", "alan", "grace")] == [False, True, False]


@pytest.mark.parametrize("stop", ["_keep", "rename", "_settle"])
def test_killed_at_any_step_no_attempt_and_no_time_is_lost(at, monkeypatch, stop):
    add(at, "ada", FIRST, NOON, LMS)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if stop == "rename":
            patch.setattr(attempts.Path, "rename", killed)
        else:
            patch.setattr(attempts, stop, killed)
        with pytest.raises(KeyboardInterrupt):
            add(at, "ada", SECOND, NOON + HOUR, LMS)
    assert intake.entries(at, at.inbox)[0] == ["ada"]
    add(at, "ada", SECOND, NOON + HOUR, LMS)
    found = of(at, "ada")
    assert [source(one) for one in found] == [b"x = 1\n", b"x = 2\n"]
    assert [one.arrived for one in found] == [NOON, NOON + HOUR]


def test_killed_between_the_two_renames_the_student_is_still_there(at, monkeypatch):
    add(at, "ada", FIRST, NOON, LMS)
    rename, calls = attempts.Path.rename, []

    def third_is_killed(path, to):
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return rename(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(attempts.Path, "rename", third_is_killed)
        with pytest.raises(KeyboardInterrupt):
            add(at, "ada", SECOND, NOON + HOUR, LMS)
    assert not (at.inbox / "ada" / "lab1").exists()
    assert intake.entries(at, at.inbox)[0] == ["ada"]
    assert [source(one) for one in of(at, "ada")] == [b"x = 1\n", b"x = 2\n"]


def test_hostile_names_are_kept_under_names_that_can_do_no_harm(at):
    odd = ["a\nb.py", "x" * 300 + ".ipynb", "\u202egnp.py", "🙂.py", "CON:x.py", "\ud800.py"]
    odd.append("deep/" * 9 + "x.py")
    files = FIRST | {name: name.encode("utf-8", "replace") for name in odd}
    assert add(at, "ada", files, NOON, COLLECTED)
    assert not add(at, "ada", files, NOON, COLLECTED)
    assert len(of(at, "ada")) == 1
    written = [path for path in (at.inbox / "ada" / "lab1").rglob("*") if path.is_file()]
    assert len(written) == len(files)
    assert all(path.name.isprintable() and len(path.name.encode()) <= 200 for path in written)
    assert {path.read_bytes() for path in written} == set(files.values())


def test_links_in_the_place_of_attempts_are_not_followed(at, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (at.inbox / "ada").mkdir(parents=True)
    (at.inbox / "ada" / "lab1").symlink_to(outside)
    assert of(at, "ada") == []
    with pytest.raises(CourseError, match="is not a folder"):
        add(at, "ada", FIRST, NOON, COLLECTED)
    assert list(outside.iterdir()) == []


def test_a_damaged_record_is_said_and_not_made_anew(at):
    add(at, "ada", FIRST, NOON, COLLECTED)
    file = at.root / "arrivals" / "lab1" / "ada" / "attempts.json"
    file.write_text("[{}]")
    with pytest.raises(CourseError, match="bring it back"):
        of(at, "ada")
    assert file.read_text() == "[{}]"
