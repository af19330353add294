"""Where the gradebook is: the forms of its address, and that no password and no address gets out."""

import logging

import pytest

from llmlab.checks import registry
from llmlab.grading import database
from llmlab.grading.course import CourseError
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.harness.runner import Harness
from tests.grading import lab_text

SECRET = "s3cret-of-the-gradebook"
URL = f"postgresql://teacher:{SECRET}@db.example.org:5433/llmlab?sslmode=require"


def test_without_a_word_it_is_sqlite_beside_the_course(tmp_path):
    assert database.gradebook_url(tmp_path, {}) == f"sqlite:///{tmp_path}/gradebook.db"


@pytest.mark.parametrize(
    ("told", "made"),
    [
        (URL, URL.replace("postgresql://", "postgresql+psycopg2://")),
        ("postgres://teacher@db/llmlab", "postgresql+psycopg2://teacher@db/llmlab"),
        ("postgresql+psycopg2:///llmlab?host=/run", "postgresql+psycopg2:///llmlab?host=%2Frun"),
        ("sqlite:////srv/grades.db", "sqlite:////srv/grades.db"),
    ],
)
def test_addresses(tmp_path, told, made):
    assert database.gradebook_url(tmp_path, {database.VARIABLE: told}) == made


def test_a_file_of_sqlite_is_taken_from_the_course(tmp_path):
    told = {database.VARIABLE: "sqlite:///other.db"}
    assert database.gradebook_url(tmp_path, told) == f"sqlite:///{tmp_path}/other.db"


def test_the_course_file_names_it_and_the_environment_wins(tmp_path):
    (tmp_path / "course.toml").write_text('gradebook = "postgresql://teacher@db/llmlab"\n[lab1]\nx = 1\n')
    assert database.gradebook_url(tmp_path, {}) == "postgresql+psycopg2://teacher@db/llmlab"
    told = {database.VARIABLE: "sqlite:////a.db"}
    assert database.gradebook_url(tmp_path, told) == "sqlite:////a.db"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (f"mysql://teacher:{SECRET}@db/llmlab", "begins with mysql://"),
        (f"postgresql+psycopg://teacher:{SECRET}@db/llmlab", r"begins with postgresql\+psycopg://"),
        (f"postgresql://teacher:{SECRET}@db", r"names no database"),
        (f"teacher:{SECRET}@db", "is not a database URL"),
        (f"postgresql://teacher:{SECRET}@db:port/llmlab", "is not a database URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_wrong_address_is_refused_without_its_password(tmp_path, told, why):
    with pytest.raises(CourseError, match=why) as caught:
        database.gradebook_url(tmp_path, {database.VARIABLE: told})
    assert SECRET not in str(caught.value)
    assert "postgresql://user@host/database" in str(caught.value) or "sqlite:///" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"), [("gradebook = 5\n", "is no text"), ("gradebook =\n", "is not TOML")]
)
def test_a_wrong_course_file_is_named(tmp_path, text, why):
    (tmp_path / "course.toml").write_text(text)
    with pytest.raises(CourseError, match=f"course.toml.*{why}"):
        database.gradebook_url(tmp_path, {})


def test_without_the_driver_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(database.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match=r"llmlab\[postgres\]"):
        database.gradebook_url(tmp_path, {database.VARIABLE: URL})


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, True), (0o600, False)])
def test_a_password_that_others_can_read_is_warned_of_once(tmp_path, caplog, mode, warned):
    file = tmp_path / "course.toml"
    file.write_text(f'gradebook = "{URL}"\n')
    file.chmod(mode)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            database.gradebook_url(tmp_path, {})
    assert [str(file) in record.getMessage() for record in caplog.records] == [True] * warned
    assert SECRET not in caplog.text


def test_without_a_password_nobody_is_warned(tmp_path, caplog):
    (tmp_path / "course.toml").write_text('gradebook = "postgresql://teacher@db/llmlab"\n')
    database.gradebook_url(tmp_path, {})
    assert not caplog.records


def test_nbgrader_reads_the_same_address(tmp_path, few_tasks, monkeypatch):
    where = lab_text.small_course(tmp_path / "course")
    monkeypatch.delenv(database.VARIABLE, raising=False)
    assert Nbgrader(where.assignments).coursedir.db_url == f"sqlite:///{where.assignments}/gradebook.db"
    monkeypatch.setenv(database.VARIABLE, "postgresql://teacher@db/llmlab")
    assert Nbgrader(where.assignments).coursedir.db_url == "postgresql+psycopg2://teacher@db/llmlab"


SPY = """
import os

def penalty(*args, **kwargs):
    told = [repr(dict(os.environ))]
    for pid in ("self", os.getppid()):
        try:
            told.append(open(f"/proc/{pid}/environ").read())
        except OSError as error:
            told.append(str(error))
    raise RuntimeError(" ".join(told))
"""


def test_a_students_process_sees_no_address(monkeypatch):
    """Neither its own environment nor its parent's names the gradebook: only the grader writes it."""
    monkeypatch.setenv(database.VARIABLE, URL)
    (task,) = [one for one in registry.tasks("penalties") if one.id == "penalties.presence_penalty"]
    checks = registry.checks_of("penalties")
    source = SPY.replace("penalty", "presence_penalty", 1).encode()
    with Harness() as harness:
        report = harness.check_source("penalties", source, "penalties.py", [task], checks.cases(1), checks)
    told = repr(report.to_json())
    assert "OMP_NUM_THREADS" in told, "the spy's message arrived"
    assert SECRET not in told and "db.example.org" not in told and database.VARIABLE not in told
