"""Broken, disguised and forged submissions, through intake and verdicts: each gets exactly what is due."""

import os

import pytest

from llmlab.checks.answers import QUESTIONS
from tests.adversarial import classroom, malformed

NUMBERS = {f"answer-{question.id}" for question in QUESTIONS if question.lab == "lab1"}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    with classroom.quick():
        yield classroom.grade(tmp_path_factory.mktemp("class") / "course", malformed.TABLES, record=False)


@pytest.mark.parametrize("one", malformed.TABLES, ids=lambda one: one.name)
def test_everybody_gets_what_is_due(graded, one):
    points, numbers = graded.told(one)
    reason = graded.ledger(one.name)["reason"]
    assert points == one.points, reason
    assert numbers == (NUMBERS if one.numbers else set()), reason
    if one.gets or not one.numbers:
        assert reason


def test_only_the_names_that_are_graded_come_in_and_as_plain_files(graded):
    for one in malformed.TABLES:
        found = list(graded.desk.submitted(one.name).iterdir())
        assert {path.name for path in found} <= {"lab1.ipynb", "decoding.py", "penalties.py", "timestamp.txt"}
        assert all(path.is_file() and not path.is_symlink() for path in found)


def test_nothing_of_the_solution_or_of_a_classmate_came_in_through_a_link(graded):
    for name in ("linked-solution", "linked-classmate", "endless-file", "fifo"):
        assert not (graded.desk.submitted(name) / "decoding.py").exists()


def test_the_inbox_is_as_it_was(graded):
    inbox = graded.desk.inbox
    assert (inbox / "linked-solution" / "lab1" / "decoding.py").is_symlink() and (inbox / "linked-folder").is_symlink()
    assert sorted(os.listdir(inbox / "nothing" / "lab1")) == []
    assert (inbox / "odd-times" / "lab1" / "decoding.py").stat().st_mtime == -2 ** 31


def test_names_that_can_be_nobodys_are_refused_and_said(graded):
    refused = [row for row in graded.summary.rows if row.status == "refused"]
    assert len(refused) == len(malformed.REFUSED_NAMES) + 2, [row.student for row in refused]
    assert all(row.reason and row.points == 0 and row.student.isprintable() for row in refused)
