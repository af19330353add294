"""The intake reads what is handed in, whatever it is, and never writes to the inbox."""

import ast
import hashlib
import io
import json
import os
import zipfile
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader.coursedir import CourseDirectory

from llmlab.grading import handed_in, intake
from llmlab.grading.course import Course, CourseError
from llmlab.grading.ledger import Ledger
from llmlab.grading.places import desk
from tests.grading import lab_text


@pytest.fixture(scope="module")
def master(tmp_path_factory, few_tasks):
    """The released notebook: made once, since the intake needs nothing else of a course."""
    where = lab_text.released_course(tmp_path_factory.mktemp("master") / "course")
    return desk("lab1", where).master.read_bytes()


@pytest.fixture
def released(master, tmp_path):
    at = desk("lab1", Course(tmp_path / "course"))
    at.release.mkdir(parents=True)
    at.master.write_bytes(master)
    return at


@pytest.fixture
def hand_in(released):
    """hand_in(files, student="ada") -> what the intake made of them."""

    def run(files, student="ada"):
        folder = released.inbox / student / "lab1"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
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


@pytest.mark.parametrize("declared", ["ascii", "nonsense-8", "utf-8"])
def test_a_module_that_is_not_in_the_encoding_it_declares_is_mended(hand_in, declared):
    raw = f"#!/usr/bin/python\n# -*- coding: {declared} -*-\nname = 'é'\n".encode("latin-1")
    found = hand_in({"decoding.py": raw})
    assert ast.literal_eval(ast.parse(found.files["decoding.py"]).body[0].value) == "é"
    assert any(note.startswith("decoding.py was not") for note in found.notes)


@pytest.mark.parametrize("declared", ["punycode", "idna", "unicode_escape", "hex", "utf-7"])
def test_a_module_in_an_unusual_encoding_is_left_to_the_sandbox(hand_in, declared):
    raw = f"# coding: {declared}\nx = 1\n".encode()
    found = hand_in({"decoding.py": raw})
    assert found.part("decoding.py").status == "ok" and found.files["decoding.py"][-6:] == b"x = 1\n"


def test_a_name_made_to_slow_down_the_search_is_read_once(hand_in):
    found = hand_in({"decoding" + "1" * 200 + "x.py": b"x = 1\n"})
    assert status(found, "decoding.py")[0] == "missing"


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


def essay(released, text, name="written-loops"):
    """The released notebook with a written answer, as bytes."""
    notebook = json.loads(released.master.read_bytes())
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == name:
            cell["source"] = text
    return json.dumps(notebook).encode()


def graded_notebook(found):
    return json.loads(found.files["lab1.ipynb"])


def answer(found, name="written-loops"):
    """The text of a cell in the notebook to grade."""
    (cell,) = [
        cell
        for cell in graded_notebook(found)["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == name
    ]
    return "".join(cell["source"])


def metadata(notebook):
    return [cell["metadata"]["nbgrader"] for cell in notebook["cells"] if "nbgrader" in cell["metadata"]]


@pytest.mark.parametrize(
    "name",
    [
        "LAB1.IPYNB",
        "lab1.ipynb.txt",
        "lab1.json",
        "handin/lab1.ipynb",
        "a/b/c/final.ipynb",
        "Untitled.ipynb",
        "🙂 \u202egnp.ipynb",
        "a\nb.ipynb",
        "x" * 240 + ".ipynb",
    ],
)
def test_a_notebook_is_known_by_its_content(released, hand_in, name):
    found = hand_in({name: essay(released, "Mine."), "pictures/cat.json": b'{"cells": 3}'})
    assert status(found, "lab1.ipynb") == ("ok", "") and answer(found) == "Mine."
    assert any("was taken for lab1.ipynb" in note for note in found.notes)
    assert all(note.isprintable() for note in found.notes)


def test_of_several_notebooks_the_one_of_this_lab_is_taken(released, hand_in):
    other = {"nbformat": 4, "cells": [{"cell_type": "markdown", "metadata": {}, "source": "Homework 7"}]}
    found = hand_in({"hw7.ipynb": json.dumps(other).encode(), "mine.ipynb": essay(released, "Mine.")})
    assert answer(found) == "Mine."
    assert "mine.ipynb was taken for lab1.ipynb; left: hw7.ipynb" in found.notes


def test_a_foreign_notebook_under_the_right_name_gives_way(released, hand_in):
    other = {"nbformat": 4, "cells": [{"cell_type": "markdown", "metadata": {}, "source": "Homework 7"}]}
    found = hand_in({"lab1.ipynb": json.dumps(other).encode(), "lab1-final.ipynb": essay(released, "Mine.")})
    assert answer(found) == "Mine."


def test_the_right_name_counts_where_both_were_worked_in(released, hand_in):
    found = hand_in({"lab1.ipynb": essay(released, "Mine."), "lab1-Copy1.ipynb": essay(released, "Draft.")})
    assert answer(found) == "Mine."
    assert "1 other notebooks were left: lab1-Copy1.ipynb" in found.notes


def test_a_copy_that_was_worked_in_counts_before_an_untouched_original(released, hand_in):
    files = {"lab1.ipynb": released.master.read_bytes(), "lab1-Copy1.ipynb": essay(released, "Mine.")}
    assert answer(hand_in(files)) == "Mine."


def test_an_unreadable_notebook_gives_way_to_a_readable_copy(released, hand_in):
    found = hand_in({"lab1.ipynb": b"<<<<<<< HEAD", "lab1 (1).ipynb": essay(released, "Mine.")})
    assert status(found, "lab1.ipynb") == ("ok", "") and answer(found) == "Mine."


def test_a_link_under_the_right_name_gives_way_to_a_plain_copy(released, hand_in, tmp_path):
    folder = released.inbox / "ada" / "lab1"
    folder.mkdir(parents=True)
    for name in ("lab1.ipynb", "decoding.py"):
        (folder / name).symlink_to(tmp_path / "gone")
    found = hand_in({"lab1 (1).ipynb": essay(released, "Mine."), "decoding (1).py": b"x = 1\n"})
    assert answer(found) == "Mine." and found.files["decoding.py"] == b"x = 1\n"


@pytest.mark.parametrize(
    "name",
    [
        "decoding (1).py",
        "Decoding.py",
        "decoding-Copy1.py",
        "decoding_final.py",
        "Copy of decoding.py",
        "decoding.py.txt",
        "code/decoding.py",
        "code/decoding (2).py",
    ],
)
def test_a_module_is_found_under_another_name(released, hand_in, name):
    found = hand_in({name: b"x = 1\n", "penalties.py": b"y = 2\n"})
    assert found.files["decoding.py"] == b"x = 1\n" and found.files["penalties.py"] == b"y = 2\n"
    assert f"{name} was taken for decoding.py" in found.notes


def test_a_module_is_known_by_its_functions(released, hand_in):
    source = b"def greedy(x):\n    pass\n\n\ndef top_p(x):\n    pass\n"
    found = hand_in({"my solution.py": source, "helper.py": b"def other():\n    pass\n"})
    assert found.files["decoding.py"] == source and "penalties.py" not in found.files


def test_two_files_that_could_be_a_module_are_not_guessed(hand_in):
    found = hand_in({"decoding (1).py": b"x = 1\n", "decoding (2).py": b"x = 2\n"})
    assert status(found, "decoding.py") == (
        "missing",
        "decoding.py was not handed in; it could be any of decoding (1).py, decoding (2).py",
    )


def test_two_equal_copies_are_one(hand_in):
    found = hand_in({"decoding (1).py": b"x = 1\n", "old/decoding.py": b"x = 1\n"})
    assert found.files["decoding.py"] == b"x = 1\n"


def test_the_file_of_one_module_is_never_taken_for_another(released, hand_in):
    both = b"def greedy(x): pass\ndef top_p(x): pass\ndef min_p(x): pass\n"
    found = hand_in({"penalties.py": both})
    assert status(found, "decoding.py")[0] == "missing" and found.files["penalties.py"] == both


def test_everything_in_one_folder_or_in_one_zip(released, hand_in):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as into:
        into.writestr("lab1/decoding.py", b"x = 1\n")
        into.writestr("lab1/lab1.ipynb", essay(released, "Mine."))
    found = hand_in({"lab1/decoding.py": b"x = 1\n", "lab1/lab1.ipynb": essay(released, "Mine.")}, "ada")
    assert found.files["decoding.py"] == b"x = 1\n" and answer(found) == "Mine." and found.notes == ()
    found = hand_in({"work.zip": packed.getvalue()}, "grace")
    assert found.files["decoding.py"] == b"x = 1\n" and answer(found) == "Mine."
    assert "work.zip was unpacked" in found.notes


def test_a_hostile_zip_in_the_inbox_is_not_opened_and_says_why(hand_in):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as into:
        into.writestr("../decoding.py", b"x = 1\n")
    found = hand_in({"work.zip": packed.getvalue()})
    assert [part.status for part in found.parts] == ["missing"] * 3
    assert any("work.zip was not opened" in note and "leaves the folder" in note for note in found.notes)


@pytest.mark.parametrize("coding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_notebook_in_another_encoding_is_read(released, hand_in, coding):
    text = json.dumps(json.loads(essay(released, "naïve 李")), ensure_ascii=False)
    found = hand_in({"lab1.ipynb": text.encode(coding)})
    assert status(found, "lab1.ipynb") == ("ok", "") and answer(found) == "naïve 李"
    assert [note for note in found.notes if note.startswith("lab1.ipynb")]


def test_a_notebook_in_latin_1_and_windows_1252(released, hand_in):
    for student, coding in (("ada", "latin-1"), ("grace", "cp1252")):
        said = "na\xefve" if coding == "latin-1" else "“naïve” – 5 €"
        text = json.dumps(json.loads(essay(released, said)), ensure_ascii=False)
        assert answer(hand_in({"lab1.ipynb": text.encode(coding)}, student)) == said


def test_a_module_in_utf_16_without_a_mark_is_read(hand_in):
    found = hand_in({"decoding.py": "name = 'é'\nother = 1\n".encode("utf-16-le")})
    assert found.files["decoding.py"].decode() == "name = 'é'\nother = 1\n"


def test_points_names_and_flags_are_the_masters(released, hand_in):
    notebook = json.loads(released.master.read_bytes())
    for cell in notebook["cells"]:
        told = cell["metadata"].get("nbgrader")
        if told:
            told |= {"points": 1e308, "grade": not told["grade"], "locked": False, "schema_version": 99}
        cell["metadata"]["trusted"] = True
    notebook["metadata"] = {"kernelspec": {"name": "evil", "argv": ["rm"]}, "celltoolbar": "x"}
    found = hand_in({"lab1.ipynb": json.dumps(notebook).encode()})
    master = json.loads(released.master.read_bytes())
    assert metadata(graded_notebook(found)) == metadata(master)
    assert graded_notebook(found)["metadata"] == master["metadata"]


@pytest.mark.parametrize("when", ["9999-99-99", "-1", 1e400, "HUGE", None, ["x"], "\ud800"])
def test_timestamps_in_a_notebook_never_matter(released, hand_in, when):
    notebook = json.loads(essay(released, "Mine."))
    for cell in notebook["cells"]:
        cell["metadata"]["execution"] = {"iopub.execute_input": "WHEN", "iopub.status.busy": "WHEN"}
        cell["metadata"]["ExecuteTime"] = {"end_time": "WHEN"}
    notebook["metadata"]["toc"] = {"created": "WHEN"}
    shown = "-1" + "0" * 5_000 if when == "HUGE" else json.dumps(when)
    found = hand_in({"lab1.ipynb": json.dumps(notebook).replace('"WHEN"', shown).encode()})
    plain = hand_in({"lab1.ipynb": essay(released, "Mine.")}, "grace")
    assert found.files == plain.files and found.notes == plain.notes


def test_the_receipt_is_compared_and_never_believed(released, hand_in):
    def receipt(files):
        listed = [{"name": name, "sha256": hashlib.sha256(raw).hexdigest()} for name, raw in files.items()]
        told = {"student": "grace", "packed": "1999-01-01", "files": listed}
        return json.dumps(told).encode()

    files = {"decoding.py": b"x = 1\n", "lab1.ipynb": released.master.read_bytes()}
    assert hand_in(files | {"receipt.json": receipt(files)}).notes == ()
    found = hand_in({"decoding.py": b"x = 2\n", "receipt.json": receipt(files | {"penalties.py": b""})})
    assert found.student == "ada"
    assert "decoding.py is not what the receipt lists: changed after packing" in found.notes
    assert "the receipt lists files that are not here: penalties.py" in found.notes
    for odd in (b"[]", b"{", b'{"files": 3}', b"[" * 100_000, b'{"files": [{"name": ["x"]}]}', b"\xff"):
        assert "receipt.json cannot be read" in hand_in({"receipt.json": odd}).notes


def test_more_files_than_are_looked_at_cost_nothing_that_is_expected(released, hand_in):
    files = {f"data/{n}.json": b"[]" for n in range(150)} | {f"z{n}.py": b"" for n in range(50)}
    found = hand_in(files | {"decoding.py": b"x = 1\n", "lab1.ipynb": essay(released, "Mine.")})
    assert found.files["decoding.py"] == b"x = 1\n" and answer(found) == "Mine."
    assert any("the others were not looked at" in note for note in found.notes)


def test_more_bytes_than_are_read_cost_nothing_that_is_expected(released, hand_in, monkeypatch):
    monkeypatch.setattr(handed_in, "MAX_TOTAL", 200_000)
    files = {f"n{n}.ipynb": json.dumps({"cells": [], "pad": "x" * 60_000}).encode() for n in range(6)}
    files |= {"lab1.ipynb": essay(released, "Mine."), "decoding (1).py": b"x = 1\n"}
    found = hand_in(files)
    assert answer(found) == "Mine." and found.files["decoding.py"] == b"x = 1\n"


def test_store_writes_the_arrival_where_nbgrader_reads_it(released, hand_in):
    found = hand_in({"decoding.py": b"x = 1\n"})
    east = timezone(timedelta(hours=8))
    intake.store(released, Ledger(released.ledger), found, datetime(2026, 11, 20, 8, 0, tzinfo=east))
    stamp = released.submitted("ada") / "timestamp.txt"
    assert stamp.read_text() == "2026-11-20 00:00:00.000000 UTC\n"
    assert CourseDirectory().get_existing_timestamp(str(released.submitted("ada"))) == datetime(2026, 11, 20)
    intake.store(released, Ledger(released.ledger), found)
    assert not stamp.exists()


def test_reading_an_attempt_writes_nothing(released, hand_in):
    hand_in({"decoding.py": b"x = 1\n"})
    before = tree(released.root)
    found = intake.read_attempt(
        released, "ada", released.inbox / "ada" / "lab1", released.master.read_bytes()
    )
    assert tree(released.root) == before and found.files["decoding.py"] == b"x = 1\n"
    assert "files" not in found.to_json()


def test_no_bytes_given_as_a_notebook_raise(released, tmp_path):
    master = released.master.read_bytes()
    folder = tmp_path / "any"
    folder.mkdir()
    shapes = st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    "nbformat cells worksheets cell_type source input metadata nbgrader grade_id id level "
                    "attachments outputs".split()
                )
                | st.text(max_size=3),
                inner | st.sampled_from(["code", "markdown", "heading", "lab1-answers", "written-loops"]),
                max_size=6,
            )
        ),
        max_leaves=25,
    )
    cells = st.fixed_dictionaries({"cells": st.lists(shapes, max_size=5)})
    sheets = st.fixed_dictionaries({"worksheets": st.lists(cells | shapes, max_size=3)})

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=200) | (cells | sheets | shapes).map(lambda told: json.dumps(told).encode()))
    def holds(raw):
        (folder / "lab1.ipynb").write_bytes(raw)
        found = intake.read_attempt(released, "ada", folder, master)
        assert found.part("lab1.ipynb").status in ("ok", "unreadable")
        assert metadata(graded_notebook(found)) == metadata(json.loads(master))

    holds()


def test_no_bytes_given_as_a_module_raise(released, tmp_path):
    master, folder = released.master.read_bytes(), tmp_path / "any"
    folder.mkdir()

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=100), st.sampled_from([b"", b"# coding: utf-7\n", b"# coding: nonsense\n"]))
    def holds(raw, head):
        (folder / "decoding.py").write_bytes(head + raw)
        found = intake.read_attempt(released, "ada", folder, master)
        assert found.part("decoding.py").status == "ok" and "decoding.py" in found.files

    holds()
