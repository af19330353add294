"""The intake reads what is handed in, whatever it is, and never writes to the inbox."""

import json
import os

import pytest

from llmlab.grading import handed_in, intake
from llmlab.grading.course import CourseError
from llmlab.grading.ledger import Ledger


@pytest.fixture
def hand_in(released):
    """hand_in(files, student="ada") -> what the intake made of them."""

    def run(files, student="ada"):
        folder = released.inbox / student / "lab1"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return intake.receive(
            released, Ledger(released.ledger), student, released.inbox, released.master.read_bytes()
        )

    return run


def tree(folder):
    return {
        path.relative_to(folder): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    }


def status(found, name):
    return found.part(name).status, found.part(name).reason


def test_a_whole_submission(released, hand_in):
    found = hand_in(
        {
            "lab1.ipynb": released.master.read_bytes(),
            "decoding.py": b"x = 1\n",
            "penalties.py": b"y = 2\n",
            "receipt.json": b"{}",
        }
    )
    assert [part.status for part in found.parts] == ["ok"] * 3 and found.notes == ()
    assert sorted(path.name for path in released.submitted("ada").iterdir()) == [
        "decoding.py",
        "lab1.ipynb",
        "penalties.py",
    ]
    assert (released.submitted("ada") / "decoding.py").read_bytes() == b"x = 1\n"


def test_the_inbox_is_not_changed_and_a_second_time_writes_nothing(released, hand_in):
    files = {"lab1.ipynb": released.master.read_bytes(), "decoding.py": b"\xef\xbb\xbfx = 1\n"}
    hand_in(files)
    inbox, outside = tree(released.inbox), tree(released.submitted("ada")) | tree(released.ledger)
    intake.receive(released, Ledger(released.ledger), "ada", released.inbox, released.master.read_bytes())
    assert tree(released.inbox) == inbox
    assert tree(released.submitted("ada")) | tree(released.ledger) == outside


def test_nothing_in_the_folder(released, hand_in):
    found = hand_in({})
    assert status(found, "decoding.py") == ("missing", "decoding.py was not handed in")
    assert status(found, "lab1.ipynb")[0] == "missing"
    assert (released.submitted("ada") / "lab1.ipynb").is_file(), "the released notebook stands in"


def test_too_large_files_name_the_limit(hand_in, monkeypatch):
    monkeypatch.setattr(handed_in, "MAX_MODULE", 1_000)
    assert status(hand_in({"decoding.py": b"#" * 1_001}), "decoding.py") == (
        "unreadable",
        "decoding.py has 1,001 bytes; the limit is 1,000",
    )


def test_links_pipes_and_folders_are_not_opened(released, hand_in, tmp_path):
    secret = tmp_path / "secret.py"
    secret.write_text("SECRET = 1")
    folder = released.inbox / "ada" / "lab1"
    folder.mkdir(parents=True)
    (folder / "decoding.py").symlink_to(secret)
    os.mkfifo(folder / "penalties.py")
    (folder / "lab1.ipynb").mkdir()
    found = hand_in({})
    assert [part.status for part in found.parts] == ["unreadable"] * 3
    assert "plain file" in found.part("penalties.py").reason
    assert not any(b"SECRET" in path.read_bytes() for path in released.submitted("ada").iterdir())


@pytest.mark.parametrize(
    ("raw", "text", "said"),
    [
        (b"\xef\xbb\xbfname = 'a'\n", "name = 'a'\n", "byte order mark"),
        ("name = 'é'\n".encode("latin-1"), "name = 'é'\n", "Latin-1"),
        ("name = 'é'\n".encode("utf-16"), "name = 'é'\n", "UTF-16"),
        ("name = 'é'\n".encode(), "name = 'é'\n", ""),
    ],
)
def test_encodings_are_repaired(released, hand_in, raw, text, said):
    found = hand_in({"decoding.py": raw})
    assert (released.submitted("ada") / "decoding.py").read_text(encoding="utf-8") == text
    assert said in " ".join(found.notes) and bool(said) == bool(found.notes)


def test_a_declared_encoding_is_left_as_python_reads_it(released, hand_in):
    raw = "# coding: latin-1\nname = 'é'\n".encode("latin-1")
    assert hand_in({"decoding.py": raw}).notes == ()
    assert (released.submitted("ada") / "decoding.py").read_bytes() == raw


def test_a_renamed_notebook_is_found_and_extra_files_are_left(released, hand_in):
    master = json.loads(released.master.read_bytes())
    essay = next(
        cell
        for cell in master["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "written-loops"
    )
    essay["source"] = "My answer."
    found = hand_in(
        {"lab1 (1).ipynb": json.dumps(master).encode(), "conftest.py": b"", "nbgrader_config.py": b""}
    )
    assert status(found, "lab1.ipynb") == ("ok", "")
    assert b"My answer." in (released.submitted("ada") / "lab1.ipynb").read_bytes()
    assert not (released.submitted("ada") / "conftest.py").exists()
    assert "lab1 (1).ipynb was taken for lab1.ipynb" in found.notes


def test_a_withdrawn_module_is_withdrawn(released, hand_in):
    hand_in({"decoding.py": b"x = 1\n"})
    (released.inbox / "ada" / "lab1" / "decoding.py").unlink()
    hand_in({})
    assert not (released.submitted("ada") / "decoding.py").exists()


def test_hostile_names_are_refused_with_a_reason(released, tmp_path):
    for name in ("ada", "李华", "a@b.c", "x*", "=cmd", "a b", "-rf", "a\nb"):
        (released.inbox / name / "lab1").mkdir(parents=True)
    (released.inbox / "outside").symlink_to(tmp_path)
    (released.inbox / "file.zip").write_bytes(b"")
    (released.inbox / "grace" / "lab2").mkdir(parents=True)
    students, refused = intake.entries(released, released.inbox)
    assert students == ["a@b.c", "ada", "李华"]
    assert sorted(name for name, _ in refused) == ["-rf", "=cmd", "a b", "a\\nb", "file.zip", "outside", "x*"]
    assert all(reason for _, reason in refused)


def test_no_inbox_says_what_to_do(released):
    with pytest.raises(CourseError, match="Put submissions into"):
        intake.entries(released, released.root / "nowhere")
