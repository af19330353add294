"""Collecting: a class's archives as Moodle and Canvas make them, folders, single zips, and what is wrong with
them. The names of the files are the platforms' own forms.
"""

import io
import json
import stat
import tarfile
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
import typer
from typer.testing import CliRunner

from llmlab.cli import collecting_commands, submit
from llmlab.grading import attempts, collect, sources
from llmlab.grading.archives import Limits
from llmlab.grading.collect import ADDED, KNOWN, REFUSED, UNMATCHED
from llmlab.grading.course import Course, CourseError
from llmlab.grading.places import Desk
from llmlab.grading.untrusted import printable

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ROSTER = """id,first_name,last_name,email,lms_id
ada,Ada,Lovelace,ada@example.org,
grace,Grace,Hopper,grace@example.org,777
kurt,Kurt,Gödel,kurt@example.org,
wei,伟,李,wei@example.org,
sam1,Sam,Smith,sam1@example.org,
sam2,Sam,Smith,sam2@example.org,
"""


@pytest.fixture
def at(tmp_path):
    desk = Desk(Course(tmp_path / "course"), "lab1")
    (desk.root / "text").mkdir(parents=True)
    (tmp_path / "course" / "solutions").mkdir()
    desk.roster.write_text(ROSTER, encoding="utf-8")
    return desk


def zipped(files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as into:
        for name, content in files.items():
            into.writestr(name, content)
    return made.getvalue()


@pytest.fixture
def bring(at, tmp_path):
    """bring(files or bytes, **options) -> what was collected of a zip of them."""

    def run(files, name="class.zip", **options):
        path = tmp_path / name
        path.write_bytes(files if isinstance(files, bytes) else zipped(files))
        return collect.collect(at, path, **({"now": NOON} | options))

    return run


def told(done):
    return {one.label: (one.what, one.student) for one in done.outcomes}


def inbox(at):
    return {
        str(path.relative_to(at.inbox)): path.read_bytes() for path in at.inbox.rglob("*") if path.is_file()
    }


def kept(at):
    """label -> (reason, contents) of the quarantine."""
    folder = at.root / "quarantine" / "lab1"
    return {
        json.loads(file.read_bytes())["from"]: (
            json.loads(file.read_bytes())["reason"],
            sorted(path.read_bytes() for path in file.parent.rglob("*") if path.is_file() and path != file),
        )
        for file in folder.glob("*/report.json")
    }


MOODLE = {
    "Ada Lovelace_101_assignsubmission_file_/decoding.py": b"ada",
    "Ada Lovelace_101_assignsubmission_file_/lab1.ipynb": b"{}",
    "Ada Lovelace_101_assignsubmission_onlinetext_/onlinetext.html": b"<p>hello",
    "Hopper Grace_102_assignsubmission_file_decoding.py": b"grace",
    "李 伟_103_assignsubmission_file/decoding.py": b"wei",
}
CANVAS = {
    "lovelaceada_501_9001_decoding.py": b"old ada",
    "lovelaceada_501_9003_decoding-1.py": b"new ada",
    "hoppergrace_LATE_777_9002_decoding.py": b"grace",
    "godelkurt_503_9004_lab1-2.ipynb": b"{}",
}


def test_moodle(at, bring):
    done = bring(MOODLE)
    assert done.kind == "moodle"
    assert told(done) == {
        "Ada Lovelace_101": (ADDED, "ada"),
        "Hopper Grace_102": (ADDED, "grace"),
        "李 伟_103": (ADDED, "wei"),
    }
    assert inbox(at) == {
        "ada/lab1/decoding.py": b"ada",
        "ada/lab1/lab1.ipynb": b"{}",
        "ada/lab1/onlinetext.html": b"<p>hello",
        "grace/lab1/decoding.py": b"grace",
        "wei/lab1/decoding.py": b"wei",
    }


def test_canvas_takes_the_last_of_what_was_handed_in_again(at, bring):
    done = bring(CANVAS)
    assert done.kind == "canvas"
    assert told(done) == {
        "lovelaceada_501": (ADDED, "ada"),
        "hoppergrace_777": (ADDED, "grace"),
        "godelkurt_503": (ADDED, "kurt"),
    }
    found = inbox(at)
    assert found["ada/lab1/decoding.py"] == b"new ada"
    assert found["ada/lab1/earlier/decoding-0.py"] == b"old ada"
    assert found["kurt/lab1/lab1.ipynb"] == b"{}"
    (grace,) = [one for one in done.outcomes if one.student == "grace"]
    assert grace.reason == "the platform marked it late"


@pytest.mark.parametrize("files", [MOODLE, CANVAS])
def test_a_browser_may_have_unpacked_it(at, tmp_path, files):
    for top in ("plain", "in a folder/lab1-submissions"):
        for name, content in files.items():
            path = tmp_path / top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    first = collect.collect(at, tmp_path / "plain", now=NOON)
    assert first.count(ADDED) == 3
    assert collect.collect(at, tmp_path / "in a folder", now=NOON).count(KNOWN) == 3


def test_collecting_twice_adds_nothing(at, bring):
    bring(MOODLE)
    before = {path: path.stat().st_mtime_ns for path in at.root.rglob("*")}
    done = bring(MOODLE, now=NOON + timedelta(days=3))
    assert done.count(KNOWN) == 3 and len(done.outcomes) == 3
    assert {path: path.stat().st_mtime_ns for path in at.root.rglob("*")} == before


def test_a_second_archive_is_a_second_attempt(at, bring):
    bring(MOODLE)
    done = bring(
        MOODLE | {"Ada Lovelace_101_assignsubmission_file_/decoding.py": b"better"},
        now=NOON + timedelta(hours=1),
    )
    assert (done.count(ADDED), done.count(KNOWN)) == (1, 2)
    found = attempts.of(at, "ada")
    assert [(one.folder / "decoding.py").read_bytes() for one in found] == [b"ada", b"better"]


def test_nobody_is_guessed_and_nothing_is_dropped(at, bring):
    done = bring(
        {
            "Sam Smith_104_assignsubmission_file_/decoding.py": b"which sam?",
            "Alan Turing_105_assignsubmission_file_/decoding.py": b"not in the roster",
            "Ada Lovelace_777_assignsubmission_file_/decoding.py": b"grace's number",
            "notes of the platform.txt": b"?",
        }
    )
    assert inbox(at) == {}
    assert {one.what for one in done.outcomes} == {UNMATCHED}
    reasons = {one.label: one.reason for one in done.outcomes}
    assert "more than one student: sam1, sam2" in reasons["Sam Smith_104"]
    assert "nobody in the roster" in reasons["Alan Turing_105"]
    assert "belongs to grace, but the name to ada" in reasons["Ada Lovelace_777"]
    assert {label: files for label, (_, files) in kept(at).items()} == {
        "Sam Smith_104": [b"which sam?"],
        "Alan Turing_105": [b"not in the roster"],
        "Ada Lovelace_777": [b"grace's number"],
        "notes of the platform.txt": [b"?"],
    }


def test_when_the_roster_is_mended_the_quarantine_is_emptied_into_the_inbox(at, bring):
    files = {"Alan Turing_105_assignsubmission_file_/decoding.py": b"alan"}
    bring(files)
    assert kept(at) and inbox(at) == {}
    at.roster.write_text(ROSTER + "alan,Alan,Turing,,105\n", encoding="utf-8")
    assert told(bring(files)) == {"Alan Turing_105": (ADDED, "alan")}
    assert inbox(at) == {"alan/lab1/decoding.py": b"alan"} and kept(at) == {}


def test_two_people_who_fit_one_student_are_nobody(at, bring):
    done = bring(
        {
            "Ada Lovelace_1_assignsubmission_file_/decoding.py": b"one",
            "Ada Lovelace_2_assignsubmission_file_/decoding.py": b"two",
        }
    )
    assert inbox(at) == {} and done.count(UNMATCHED) == 2 and len(kept(at)) == 2


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace_101_assignsubmission_file_/Grace Hopper_102_assignsubmission_file_/decoding.py",
        "Ada Lovelace_101_assignsubmission_file_Grace Hopper_102_assignsubmission_file_decoding.py",
        "lovelaceada_501_9001_hoppergrace_777_9002_decoding.py",
        "lovelaceada_LATE_501_9001_hoppergrace_777_9002_decoding.py",
    ],
)
def test_a_file_name_cannot_hand_in_for_a_classmate(at, bring, name):
    done = bring({name: b"not grace's"})
    assert [one.student for one in done.outcomes] == ["ada"]
    assert not (at.inbox / "grace").exists()


@pytest.mark.parametrize("name", ["ada.zip", "lab1.zip"])
def test_a_students_zip_cannot_hand_in_for_a_classmate(at, bring, name):
    files = {"grace/lab1/decoding.py": b"x", "Grace Hopper_1_assignsubmission_file_/decoding.py": b"x"}
    done = bring(files, name=name, student="" if name == "ada.zip" else "ada")
    assert {one.student for one in done.outcomes} == {"ada"}
    assert not (at.inbox / "grace").exists()


def test_a_packed_folder_of_students_is_taken_only_on_the_instructors_word(at, bring):
    files = {"ada/lab1/decoding.py": b"ada", "grace/lab1/decoding.py": b"grace"}
    with pytest.raises(CourseError, match="--from folder"):
        bring(files)
    assert bring(files, kind="folder").count(ADDED) == 2


def test_many_archives_of_one_student_are_bounded_together(at, bring, monkeypatch):
    monkeypatch.setattr("llmlab.grading.archives.STUDENT", Limits(total=25_000))
    parts = {
        f"Ada Lovelace_101_assignsubmission_file_/{n}.zip": zipped({"a.py": bytes(10_000)}) for n in range(9)
    }
    done = bring(parts)
    assert (done.count(ADDED), done.count(REFUSED)) == (1, 7)
    assert sum(map(len, inbox(at).values())) == 20_000


def test_the_platforms_list_tells_who_and_when(at, bring, tmp_path):
    (tmp_path / "grading.csv").write_text(
        "Identifier,Full name,Email address,Status,Last modified (submission)\n"
        'Participant 101,X,sam2@example.org,Submitted,"Thursday, 19 November 2026, 11:59 PM"\n'
        "Participant 102,Y,kurt@example.org,Submitted,-\n"
    )
    (at.root / "deadlines.toml").write_text('timezone = "Europe/Berlin"\n')
    done = bring(
        {
            "Participant_101_assignsubmission_file_/decoding.py": b"sam2",
            "Participant_102_assignsubmission_file_/decoding.py": b"kurt",
        },
        listed=tmp_path / "grading.csv",
    )
    assert told(done) == {"Participant_101": (ADDED, "sam2"), "Participant_102": (ADDED, "kurt")}
    (sam,), (kurt,) = attempts.of(at, "sam2"), attempts.of(at, "kurt")
    assert (sam.arrived, sam.origin) == (datetime(2026, 11, 19, 22, 59, tzinfo=UTC), "platform")
    assert (kurt.arrived, kurt.origin) == (NOON, "collected")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a,b\n1,2\n", "no column names a person"),
        ("id,received\nada,yesterday\n", "line 2: received = 'yesterday' is not a time"),
        ("id,received\nada,2026-11-19T12:00\n", "has no time zone"),
    ],
)
def test_a_list_that_cannot_be_read_names_line_and_value(at, bring, tmp_path, text, named):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(CourseError, match=named):
        bring(MOODLE, listed=tmp_path / "list.csv")


def test_the_instructors_word_about_the_time(at, bring):
    bring(MOODLE, received=NOON - timedelta(days=1))
    (found,) = attempts.of(at, "ada")
    assert (found.arrived, found.origin) == (NOON - timedelta(days=1), "instructor")
    with pytest.raises(CourseError, match="in the future"):
        bring(MOODLE, received=NOON + timedelta(days=1))


def test_a_folder_of_students(at, tmp_path):
    files = {
        "ada/lab1/decoding.py": b"ada",
        "ada/lab2/decoding.py": b"another lab",
        "grace.zip": zipped({"lab1/decoding.py": b"grace"}),
        "kurt/lab1.zip": zipped({"lab1/decoding.py": b"kurt"}),
        "new-one/lab1/decoding.py": b"not in the roster",
        "bad name/lab1/decoding.py": b"whose?",
    }
    for name, content in files.items():
        (tmp_path / "from-mail" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from-mail" / name).write_bytes(content)
    done = collect.collect(at, tmp_path / "from-mail", now=NOON)
    assert done.kind == "folder"
    assert inbox(at) == {
        "ada/lab1/decoding.py": b"ada",
        "grace/lab1/decoding.py": b"grace",
        "kurt/lab1/decoding.py": b"kurt",
        "new-one/lab1/decoding.py": b"not in the roster",
    }
    assert told(done)["bad name"] == (UNMATCHED, "") and kept(at)["bad name"][1] == [b"whose?"]


def test_one_students_zip_needs_a_name(at, bring):
    files = {"lab1/decoding.py": b"ada", "lab1/receipt.json": b'{"student": "grace"}'}
    with pytest.raises(CourseError, match="--student ID"):
        bring(files, name="lab1.zip")
    assert told(bring(files, name="lab1.zip", student="ada")) == {"ada": (ADDED, "ada")}
    assert told(bring(files, name="grace.zip")) == {"grace": (ADDED, "grace")}
    assert inbox(at)["ada/lab1/decoding.py"] == b"ada"


def test_the_zip_of_submit_goes_the_whole_way(at, tmp_path):
    pack = submit.Pack({"decoding.py": (b"x = 1\n", 0.0)}, missing=["lab1.ipynb is not there"])
    _, packed = submit.write(tmp_path / "submissions", "lab1", pack, submit.receipt("lab1", pack, NOON))
    assert told(collect.collect(at, packed, student="ada", now=NOON)) == {"ada": (ADDED, "ada")}
    assert sorted(inbox(at)) == ["ada/lab1/decoding.py", "ada/lab1/receipt.json"]


def test_one_students_tar_gz(at, bring):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as into:
        info = tarfile.TarInfo("lab1/decoding.py")
        info.size = 3
        into.addfile(info, io.BytesIO(b"ada"))
    assert told(bring(made.getvalue(), name="ada.tar.gz")) == {"ada": (ADDED, "ada")}
    assert inbox(at) == {"ada/lab1/decoding.py": b"ada"}


def test_the_inbox_itself_can_be_given_a_time(at):
    folder = at.inbox / "ada" / "lab1"
    folder.mkdir(parents=True)
    (folder / "decoding.py").write_bytes(b"by hand")
    attempts.of(at, "ada", now=NOON)
    done = collect.collect(at, at.inbox, received=NOON - timedelta(days=1), now=NOON)
    assert done.count(KNOWN) == 1 and inbox(at) == {"ada/lab1/decoding.py": b"by hand"}
    assert [one.arrived for one in attempts.of(at, "ada")] == [NOON - timedelta(days=1)]


def hostile():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as into:
        link = zipfile.ZipInfo("decoding.py")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        into.writestr(link, "/etc/passwd")
    return made.getvalue()


def test_a_hostile_archive_is_kept_apart_and_the_rest_goes_on(at, bring, tmp_path):
    bomb, evil = zipped({"a": bytes(40 * 2**20)}), zipped({"../../grace/lab1/decoding.py": b"evil"})
    done = bring(
        {
            "Ada Lovelace_101_assignsubmission_file_/work.zip": hostile(),
            "Grace Hopper_102_assignsubmission_file_/lab1.zip": bomb,
            "Grace Hopper_102_assignsubmission_file_/decoding.py": b"grace",
            "Kurt Gödel_103_assignsubmission_file_/lab1.zip": evil,
            "李 伟_104_assignsubmission_file_/lab1.zip": zipped({"lab1/decoding.py": b"wei"}),
        }
    )
    assert inbox(at) == {"grace/lab1/decoding.py": b"grace", "wei/lab1/decoding.py": b"wei"}
    assert (done.count(ADDED), done.count(REFUSED)) == (2, 3)
    reasons = {label: reason for label, (reason, _) in kept(at).items()}
    assert "decoding.py is a link" in reasons["Ada Lovelace_101"]
    assert "zip bomb" in reasons["Grace Hopper_102"]
    assert "leaves the folder" in reasons["Kurt Gödel_103"]
    assert kept(at)["Grace Hopper_102"][1] == [bomb] and kept(at)["Kurt Gödel_103"][1] == [evil]
    assert not list(tmp_path.rglob("passwd")) and sorted(p.name for p in tmp_path.iterdir()) == [
        "class.zip",
        "course",
    ]


def test_a_hostile_entry_of_the_class_archive_costs_only_itself(at, bring):
    done = bring(MOODLE | {"../../../evil.py": b"x", "/etc/cron.d/x": b"x"})
    assert (done.count(ADDED), done.count(REFUSED)) == (3, 2)
    assert len(inbox(at)) == 5


def test_a_damaged_class_archive_says_so(bring):
    with pytest.raises(CourseError, match="cannot be read as a zip"):
        bring(zipped(MOODLE)[:-40])


def test_an_empty_zip_and_a_zip_of_nothing_useful(at, bring):
    assert told(bring({}, name="ada.zip")) == {"ada": (REFUSED, "ada")}
    assert inbox(at) == {}


def test_hostile_names_come_in_under_names_that_can_do_no_harm(at, bring):
    odd = ["\u202elab1\nx.py", "🙂.py", "y" * 300 + ".ipynb"]
    done = bring({f"Ada Lovelace_101_assignsubmission_file_/{name}": b"x" for name in odd} | MOODLE)
    assert done.count(ADDED) == 3
    names = [path.name for path in (at.inbox / "ada" / "lab1").iterdir()]
    assert len(names) == 6 and all(name.isprintable() and len(name.encode()) < 200 for name in names)


def test_names_that_collide_in_one_delivery_are_kept_apart(at, bring):
    done = bring(MOODLE | {"Ada Lovelace_101_assignsubmission_file_/DECODING.py": b"x"})
    assert told(done)["Ada Lovelace_101"] == (REFUSED, "ada")
    assert len(kept(at)["Ada Lovelace_101"][1]) == 4 and done.count(ADDED) == 2


def test_links_in_a_folder_are_not_followed(at, tmp_path):
    (tmp_path / "secret.py").write_bytes(b"secret")
    folder = tmp_path / "from-mail" / "ada" / "lab1"
    folder.mkdir(parents=True)
    (folder / "decoding.py").write_bytes(b"ada")
    (folder / "penalties.py").symlink_to(tmp_path / "secret.py")
    (tmp_path / "from-mail" / "grace").symlink_to(tmp_path)
    collect.collect(at, tmp_path / "from-mail", now=NOON)
    assert inbox(at) == {"ada/lab1/decoding.py": b"ada"}


def test_an_unknown_source_says_what_it_should_look_like(at, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "cat.png").write_bytes(b"x")
    with pytest.raises(CourseError, match="looks like no known source"):
        collect.collect(at, tmp_path / "pictures")
    with pytest.raises(CourseError, match="There is no"):
        collect.collect(at, tmp_path / "nowhere")
    with pytest.raises(CourseError, match="'dropbox' is not known"):
        collect.collect(at, tmp_path / "pictures", "dropbox")


@pytest.mark.parametrize("kind", [kind for kind in sources.KINDS if kind != "auto"])
def test_a_kind_that_does_not_fit_drops_nothing(at, bring, kind):
    """Whatever the source is said to be: each file is taken, or kept in the quarantine."""
    done = bring(MOODLE, kind=kind, student="ada" if kind == "zip" else "")
    assert done.outcomes
    contents = set(inbox(at).values()) | {raw for _, files in kept(at).values() for raw in files}
    assert set(MOODLE.values()) <= contents


@pytest.fixture
def command(at, monkeypatch):
    monkeypatch.setattr("llmlab.cli.instructor._tools", lambda where: (None, at.course))
    app = typer.Typer()
    collecting_commands.register(app)
    return lambda *words: CliRunner().invoke(app, list(map(str, words)))


def test_the_commands(at, command, tmp_path):
    (tmp_path / "class.zip").write_bytes(
        zipped(MOODLE | {"Alan\x1b[2J Turing_9_assignsubmission_file_/a.py": b"x"})
    )
    (at.root / "deadlines.toml").write_text("[lab1]\ndue = 2020-01-01T00:00:00Z\n")
    done = command("collect", "lab1", tmp_path / "class.zip", "--received", "2020-01-02T12:00Z")
    assert done.exit_code == 1, done.output
    assert "3 attempts taken, 0 known already, 1 nobody's, 0 refused." in done.output
    assert "Next: `llmlab grade lab1`" in done.output and "\x1b[2J" not in done.output
    shown = command("deadlines", "lab1")
    assert shown.exit_code == 0, shown.output
    (ada,) = [line for line in shown.output.splitlines() if "ada" in line]
    assert "2020-01-02 12:00 UTC" in ada and "1 d 12 h" in ada
    (kurt,) = [line for line in shown.output.splitlines() if "kurt" in line]
    assert "nothing" in kurt


def test_a_platforms_name_is_printed_as_one_safe_line():
    assert printable("a\x1b[2J\u202eb\n") == "a\\x1b[2J\\u202eb\\n"
