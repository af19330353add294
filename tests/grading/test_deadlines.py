"""Deadlines: what the file says, what it must not say, and what nbgrader makes of it."""

import csv
from datetime import UTC, datetime, timedelta

import pytest

from llmlab.grading import deadlines, late_penalty
from llmlab.grading.course import CourseError
from llmlab.grading.deadlines import Late, Terms, terms
from llmlab.grading.nbgrader_api import Nbgrader

DUE = datetime(2026, 11, 20, 22, 59, tzinfo=UTC)
WHOLE = """
timezone = "Europe/Berlin"
[lab1]
due = 2026-11-20T23:59:00
policy = "best"
late = { percent_per_day = 10, at_most = 50 }
[lab1.students.ada]
due = 2026-11-27T23:59:00+01:00
[lab1.students.grace]
excused = true
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "deadlines.toml").write_text(text, encoding="utf-8")
        return tmp_path / "deadlines.toml"

    return write


def test_the_whole_file(written):
    found = terms(written(WHOLE), "lab1")
    assert found.due == DUE and found.policy == "best"
    assert found.due_for("alan") == DUE
    assert found.due_for("ada") == DUE + timedelta(days=7)
    assert found.due_for("grace") is None
    assert str(found.late) == "10 % off for each day begun, at most 50 %"


def test_without_a_file_there_is_no_deadline(tmp_path):
    found = terms(tmp_path / "deadlines.toml", "lab1")
    assert found == Terms()
    assert found.seconds_late("ada", datetime(2999, 1, 1, tzinfo=UTC)) == 0


def test_the_example_that_the_command_prints_is_right(written):
    found = terms(written(deadlines.EXAMPLE.format(lab="lab1")), "lab1")
    assert found.due_for("ada") == DUE + timedelta(days=7) and found.policy == "best"


def test_lateness_is_by_the_second_and_by_the_student(written):
    found = terms(written(WHOLE), "lab1")
    assert found.seconds_late("alan", DUE) == 0
    assert found.seconds_late("alan", DUE + timedelta(seconds=1)) == 1
    assert found.seconds_late("ada", DUE + timedelta(days=7)) == 0
    assert found.seconds_late("grace", DUE + timedelta(days=700)) == 0


@pytest.mark.parametrize(
    ("late", "seconds", "taken"),
    [
        (Late(), 10**6, 0),
        (Late(refused=True), 1, 40),
        (Late(percent_per_day=10), 0, 0),
        (Late(percent_per_day=10), 1, 4),
        (Late(percent_per_day=10), 86_400, 4),
        (Late(percent_per_day=10), 86_401, 8),
        (Late(percent_per_day=10, at_most=25), 10**9, 10),
        (Late(percent_per_day=60), 10**9, 40),
    ],
)
def test_the_penalty_counts_days_begun_and_has_an_end(late, seconds, taken):
    assert late.penalty(40.0, seconds) == taken


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[lab1", "cannot be read as TOML"),
        ("[lab9]\ndue = 2026-11-20T23:59:00Z", "'lab9' is no lab. The labs are: lab1"),
        ('timezone = "Berlin"\n[lab1]', "timezone = 'Berlin' is not known"),
        ("timezone = 1\n[lab1]", "timezone = 1 is not known"),
        ("[lab1]\ndue = 2026-11-20T23:59:00", "lab1.due = 2026-11-20T23:59:00 has no time zone"),
        ("[lab1]\ndue = 2026-11-20", "lab1.due = 2026-11-20 is a day without a time"),
        ('[lab1]\ndue = "2026-11-20"', "lab1.due = 2026-11-20 is a day without a time"),
        ('[lab1]\ndue = "soon"', "lab1.due = 'soon' is not a time"),
        ("[lab1]\ndue = 5", "lab1.due = 5 is not a time"),
        ("[lab1]\ndeu = 2026-11-20T23:59:00Z", "lab1 has the unknown key 'deu'. Known: due, policy"),
        ('[lab1]\npolicy = "first"', "lab1.policy = 'first'. Write 'last' or 'best'"),
        ('[lab1]\nlate = "maybe"', "lab1.late = 'maybe'"),
        ("[lab1]\nlate = {}", "lab1.late has no percent_per_day"),
        ("[lab1]\nlate = { percent_per_day = 110 }", "lab1.late.percent_per_day = 110. Write a number"),
        ("[lab1]\nlate = { percent_per_day = nan }", "lab1.late.percent_per_day = nan"),
        ("[lab1]\nlate = { percent_per_day = true }", "lab1.late.percent_per_day = True"),
        ("[lab1]\nlate = { per_hour = 1 }", "lab1.late has the unknown key 'per_hour'"),
        ("lab1 = 3", "lab1 = 3 is no table"),
        ("[lab1]\nstudents = []", "lab1.students = [] is no table"),
        ("[lab1.students.ada]\nexcused = 1.5", "lab1.students.ada.excused = 1.5. Write true or false"),
        ('[lab1.students."a/b"]\nexcused = true', "'a/b' cannot be a student id"),
        (
            "[lab1]\ndue = 2026-11-20T23:59:00Z\n[lab1.students.ada]\ndue = 2026-11-19T23:59:00Z",
            "lab1.students.ada.due = 2026-11-19T23:59:00+00:00 is no extension: the lab is due 2026-11-20",
        ),
        ("[lab1.students.ada]\ndue = 2026-11-19T23:59:00Z", "no extension: the lab has no due date"),
    ],
)
def test_a_mistake_names_the_key_and_the_value(written, text, named):
    with pytest.raises(CourseError) as told:
        terms(written(text), "lab1")
    assert named in str(told.value) and "deadlines.toml" in str(told.value)


def test_a_mistake_in_another_lab_is_found_too(written):
    with pytest.raises(CourseError, match="lab9"):
        terms(written(WHOLE + "[lab9]\n"), "lab1")


def test_the_key_changes_with_what_a_grade_depends_on(written):
    one, other = terms(written(WHOLE), "lab1"), terms(written(WHOLE.replace("= 10", "= 20")), "lab1")
    assert one.key("alan") == terms(written(WHOLE), "lab1").key("alan")
    assert one.key("alan") != other.key("alan") and one.key("alan") != one.key("ada")


def test_nbgrader_shows_the_due_date_and_the_extension(released):
    found = Terms(DUE, extensions={"ada": DUE + timedelta(days=7)})
    with Nbgrader(released.root).gradebook() as book:
        late_penalty.enter(book, "lab1", found, ["ada", "alan"])
        late_penalty.enter(book, "lab1", found, ["ada", "alan"])
        assert book.find_assignment("lab1").duedate == DUE.replace(tzinfo=None)
        ada = book.find_submission("lab1", "ada")
        assert ada.extension == timedelta(days=7)
        ada.timestamp = DUE.replace(tzinfo=None) + timedelta(days=8)
        assert ada.total_seconds_late == 86_400
        late_penalty.enter(book, "lab1", Terms(), ["ada"])
        assert book.find_assignment("lab1").duedate is None and ada.extension is None


def test_the_penalty_follows_points_that_a_person_gives_later(released):
    found = Terms(DUE, late=Late(percent_per_day=10))
    with Nbgrader(released.root).gradebook() as book:
        book.add_student("alan")
        arrived = DUE.replace(tzinfo=None) + timedelta(hours=1)
        submission = book.add_submission("lab1", "alan", timestamp=arrived)
        grade = book.find_grade("decoding-greedy", "lab1", "lab1", "alan")
        grade.auto_score = 2.0
        book.db.commit()
        assert late_penalty.assess(book, "lab1", found) == ["alan"]
        assert submission.notebooks[0].late_submission_penalty == pytest.approx(0.2)
        essay = book.find_grade("written-loops", "lab1", "lab1", "alan")
        essay.manual_score = 3.0
        book.db.commit()
        assert late_penalty.assess(book, "lab1", found) == ["alan"]
        assert submission.notebooks[0].late_submission_penalty == pytest.approx(0.5)
        assert late_penalty.assess(book, "lab1", found) == []
        assert late_penalty.assess(book, "lab1", Terms()) == ["alan"]
        assert submission.notebooks[0].late_submission_penalty is None


def test_nbgraders_own_autograde_takes_the_penalty_off(released):
    """The whole way: timestamp.txt, the due date, nbgrader's AssignLatePenalties, the plugin."""
    from llmlab.grading import intake
    from llmlab.grading.ledger import Ledger

    (released.root / deadlines.FILE).write_text(
        "[lab1]\ndue = 2026-11-20T22:59:00Z\nlate = { percent_per_day = 10 }\n"
        "[lab1.students.ada]\ndue = 2026-11-30T22:59:00Z\n"
    )
    nbgrader, ledger, master = Nbgrader(released.root), Ledger(released.ledger), released.master.read_bytes()
    rules = deadlines.read(released)
    for student in ("alan", "ada"):
        folder = released.inbox / student / "lab1"
        folder.mkdir(parents=True)
        (folder / "lab1.ipynb").write_bytes(master)
        one = intake.read_attempt(released, student, folder, master)
        intake.store(released, ledger, one, DUE + timedelta(days=1, hours=1))
        verdict = {"title": "greedy", "points": 2.0, "message": "ok", "groups": []}
        ledger.write(student, "verdicts", {"cells": {"decoding-greedy": verdict}})
        with nbgrader.gradebook() as book:
            late_penalty.enter(book, "lab1", rules, [student])
        nbgrader.autograde("lab1", student)
    with nbgrader.gradebook() as book:
        alan, ada = (book.find_submission("lab1", name) for name in ("alan", "ada"))
        assert alan.total_seconds_late == 90_000
        assert alan.notebooks[0].late_submission_penalty == pytest.approx(0.2 * alan.score)
        assert alan.score > 0 and ada.score == alan.score
        assert ada.total_seconds_late == 0 and not ada.notebooks[0].late_submission_penalty


def test_grade_feedback_and_export_tell_the_same_late_grade(released):
    """Two students hand in the same, one of them two days late; later the rule is withdrawn."""
    from llmlab.grading import attempts, pipeline
    from llmlab.grading.sample_students import Maker

    files = next(one.files for one in Maker(released, 1).all() if one.student.startswith("perfect"))
    rules = "[lab1]\ndue = 2026-11-20T22:59:00Z\nlate = { percent_per_day = 10 }\n"
    (released.root / deadlines.FILE).write_text(rules)
    for student, days in (("alan", 1.5), ("ada", -1)):
        attempts.add(released, student, files, DUE + timedelta(days=days), attempts.COLLECTED)
    summary = pipeline.grade("lab1", released.course, display=False)
    full = summary.row("ada").points
    assert full > 0 and summary.row("alan").points == pytest.approx(0.8 * full)
    assert "off for lateness" in summary.row("alan").reason
    pipeline.feedback("lab1", released.course)
    assert "handing in late" in (released.feedback("alan") / "lab1.html").read_text(encoding="utf-8")
    pipeline.export("lab1", released.course)
    with (released.root / "grades.csv").open(encoding="utf-8", newline="") as stream:
        assert {row["student_id"]: float(row["score"]) for row in csv.DictReader(stream)}["alan"] == pytest.approx(0.8 * full)
    (released.root / deadlines.FILE).write_text(rules.replace('{ percent_per_day = 10 }', '"accept"'))
    assert pipeline.grade("lab1", released.course, display=False).row("alan").points == full
    (released.root / deadlines.FILE).write_text(rules.replace('{ percent_per_day = 10 }', '"refuse"'))
    assert pipeline.grade("lab1", released.course, display=False).row("ada").points == full
