"""The gradebook in PostgreSQL: a real server of the test's own, graded into, and compared with SQLite.

Needs Debian's package `postgresql` (no server of it has to run) or any `initdb` and `postgres` on the PATH.
"""

import csv
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from llmlab.grading import pipeline
from llmlab.grading.course import Course, CourseError
from llmlab.grading.database import VARIABLE
from llmlab.grading.export import export
from llmlab.grading.ledger import Ledger
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import desk
from llmlab.grading.sample_class import hand_in
from llmlab.grading.sample_students import Maker
from tests.grading import lab_text

STUDENTS = ("mistake-01", "module-missing", "perfect")
PASSWORD = "not:a@secret%"
MISSING = "PostgreSQL is not here: `apt-get install postgresql` (Debian, Ubuntu), then run again"


def programs():
    """The folder of initdb and postgres, or None."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").is_file()), None)


@pytest.fixture(scope="module")
def server():
    """A server on a socket in a folder of its own; gives the folder. PostgreSQL refuses to run as root."""
    bin = programs()
    if bin is None:
        pytest.skip(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = {}
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    data = folder / "data"
    subprocess.run(
        [bin / "initdb", "-D", data, "-U", "teacher", "-A", "trust", "-E", "UTF8", "--no-sync"],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        check=True,
        **user,
    )
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            [bin / "postgres", "-D", data, "-k", folder, "-h", "", "-c", "fsync=off"],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
            **user,
        )
    try:
        for _ in range(300):
            if running.poll() is not None or (folder / ".s.PGSQL.5432").exists():
                break
            time.sleep(0.1)
        assert running.poll() is None, (folder / "log").read_text()
        yield folder
    finally:
        running.send_signal(signal.SIGINT)  # a fast shutdown: it does not wait for open connections
        running.wait(timeout=60)
        shutil.rmtree(folder)


def address(folder, database):
    """A URL with a password in it, though this server asks for none: it must not show up anywhere."""
    url = make_url(f"postgresql://teacher@/{database}?host={folder}").set(password=PASSWORD)
    return url.render_as_string(hide_password=False)


@pytest.fixture
def database(server, monkeypatch):
    """The URL of an empty database, also in LLMLAB_GRADEBOOK."""
    admin = create_engine(
        f"postgresql+psycopg2://teacher@/postgres?host={server}", isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS llmlab"))
        connection.execute(text("CREATE DATABASE llmlab"))
    admin.dispose()
    monkeypatch.setenv(VARIABLE, address(server, "llmlab"))
    return address(server, "llmlab")


def class_of(root):
    where = lab_text.small_course(root)
    pipeline.release("lab1", where)
    at = desk("lab1", where)
    hand_in(at, [one for one in Maker(at, 7).all() if one.student in STUDENTS])
    (at.root / "roster.csv").write_text("id,first_name\n" + "".join(f"{name},\n" for name in STUDENTS))
    return at


def csv_of(file):
    """Rows of a CSV without the columns that hold a time."""
    with file.open() as stream:
        rows = list(csv.DictReader(stream))
    return [{name: value for name, value in row.items() if "time" not in name} for row in rows]


def by_hand(gradebook, score, comment):
    """Grade a written answer as a person does in formgrader; None takes it back."""
    grade = gradebook.find_grade("written-loops", "lab1", "lab1", "perfect")
    grade.manual_score, grade.needs_manual_grade = score, score is None
    gradebook.find_comment("written-loops", "lab1", "lab1", "perfect").manual_comment = comment
    gradebook.db.commit()


@pytest.fixture(scope="module")
def in_sqlite(tmp_path_factory, few_tasks):
    """The same class in SQLite: (rows of the summary, both exports)."""
    at = class_of(tmp_path_factory.mktemp("sqlite") / "course")
    rows = pipeline.grade("lab1", at.course, display=False).rows
    grades = export("lab1", at.course)
    return rows, csv_of(grades), csv_of(at.root / "gradebook.csv")


def test_the_class_is_graded_into_postgresql_as_into_sqlite(
    database, in_sqlite, tmp_path, capfd, caplog
):
    at = class_of(tmp_path / "course")
    first = pipeline.grade("lab1", at.course, display=False)
    assert first.recorded == len(STUDENTS)
    assert not (at.root / "gradebook.db").exists(), "nothing went into SQLite"
    assert first.rows == in_sqlite[0]
    again = pipeline.grade("lab1", at.course, display=False)
    assert (again.examined, again.recorded, again.rows) == (0, 0, first.rows), "nothing changed"

    # a person's score and comment, and the queries of formgrader's pages
    with Nbgrader(at.root).gradebook() as gradebook:
        by_hand(gradebook, 2.5, "Good — 好.")
    with Nbgrader(at.root).gradebook() as gradebook:
        told = {one["id"]: one for one in gradebook.student_dicts()}
        rows = {row.student: row for row in first.rows}
        assert {name: one["score"] for name, one in told.items()} == {
            name: row.points + 2.5 * (name == "perfect") for name, row in rows.items()
        }
        submissions = gradebook.submission_dicts("lab1")
        assert {one["student"] for one in submissions} == set(STUDENTS)
        assert gradebook.average_assignment_score("lab1") == pytest.approx(
            sum(one["score"] for one in told.values()) / len(STUDENTS)
        )
        assert gradebook.notebook_submission_dicts("lab1", "lab1")
        assert gradebook.find_comment("written-loops", "lab1", "lab1", "perfect").comment == "Good — 好."
        by_hand(gradebook, None, None)

    grades = export("lab1", at.course)
    assert csv_of(grades) == in_sqlite[1]
    assert csv_of(at.root / "gradebook.csv") == in_sqlite[2]

    # nbgrader's own command line reads the same configuration
    command = [shutil.which("nbgrader") or "nbgrader", "export", "--to", "by-hand.csv"]
    done = subprocess.run(command, cwd=at.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert csv_of(at.root / "by-hand.csv") == in_sqlite[2]

    seen = "".join(capfd.readouterr()) + caplog.text + done.stdout + done.stderr
    for file in at.course.assignments.rglob("*"):
        if file.is_file() and not file.is_symlink():
            seen += file.read_bytes().decode("utf-8", "replace")
    assert PASSWORD not in seen and make_url(database).render_as_string(hide_password=False) not in seen


def test_a_database_that_is_not_there_is_named_without_its_password(server, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, address(server, "nowhere"))
    where = lab_text.small_course(tmp_path / "course")
    with pytest.raises(CourseError, match=r"teacher:\*\*\*@.*\"nowhere\" does not exist") as caught:
        pipeline.release("lab1", where)
    assert PASSWORD not in str(caught.value) and caught.value.__suppress_context__


def test_a_server_that_stops_loses_nothing(server, database, tmp_path):
    """The database goes away during the run: a clear stop, and the next run goes on."""
    at = class_of(tmp_path / "course")
    url = make_url(f"postgresql+psycopg2://teacher@/postgres?host={server}")
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    seen = []

    def cut(student, status, done, total):
        seen.append((student, done))
        if done == 1 and len([one for one in seen if one[1] == 1]) == 1:
            with admin.connect() as connection:
                connection.execute(text("ALTER DATABASE llmlab RENAME TO elsewhere"))

    with pytest.raises(CourseError) as caught:
        pipeline.grade("lab1", at.course, progress=cut, display=False)
    assert PASSWORD not in str(caught.value)
    with admin.connect() as connection:
        connection.execute(text("ALTER DATABASE elsewhere RENAME TO llmlab"))
    admin.dispose()
    summary = pipeline.grade("lab1", at.course, display=False)
    assert summary.recorded == len(STUDENTS) - 1
    assert all(Ledger(at.ledger).read(name, "recorded") for name in STUDENTS)
    assert Course(at.course.root) == at.course
