"""Receipts that the grader writes: hashes of what arrived and of what was graded; and the commands around
them.
"""

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from llmlab.cli.app import run
from llmlab.cli.submit import Pack, receipt
from llmlab.grading import attempts, pipeline, variants
from llmlab.grading.acknowledgements import acknowledge
from llmlab.grading.course import CourseError
from llmlab.grading.places import desk
from llmlab.grading.sample_students import unmarked
from tests.grading import lab_text

ARRIVED = datetime(2026, 11, 19, 8, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def graded_two(tmp_path_factory, few_tasks):
    """A graded course: ada packed with `llmlab submit`; bob changed a file after packing."""
    where = lab_text.released_course(tmp_path_factory.mktemp("receipts") / "course")
    (where.assignments / "roster.csv").write_text("id\nada\nbob\neve\n")
    at = desk("lab1", where)
    for student in ("ada", "bob"):
        files = {f"{module}.py": unmarked(variants.solution(module, where)) for module in at.modules}
        files["lab1.ipynb"] = at.master.read_bytes()
        pack = Pack(files={name: (content, 0.0) for name, content in files.items()})
        files["receipt.json"] = json.dumps(receipt("lab1", pack, datetime(1999, 1, 1, tzinfo=UTC))).encode()
        if student == "bob":
            files["decoding.py"] += b"# later\n"
        attempts.add(at, student, files, ARRIVED, attempts.LMS)
    pipeline.grade("lab1", where, display=False)
    return where, at


def test_hashes_are_those_of_the_inbox_and_of_the_students_own_receipt(graded_two):
    where, at = graded_two
    made = acknowledge("lab1", where)
    assert [file.relative_to(at.root).as_posix() for file in made] == [
        "receipts/lab1/ada.json",
        "receipts/lab1/bob.json",
    ]
    for student, agreement in (("ada", "agrees"), ("bob", "decoding.py is not what the receipt lists")):
        told = json.loads((at.root / "receipts" / "lab1" / f"{student}.json").read_bytes())
        (attempt,) = told["attempts"]
        inbox = at.inbox / student / "lab1"
        assert {file["name"]: (file["bytes"], file["sha256"]) for file in attempt["files"]} == {
            path.name: (path.stat().st_size, sha256(path.read_bytes()).hexdigest())
            for path in inbox.iterdir()
        }
        assert attempt["submit_receipt"].startswith(agreement)
        graded = {file["name"]: file["sha256"] for file in told["graded"]}
        assert set(graded) == {"lab1.ipynb", "decoding.py", "penalties.py"}
        assert graded["decoding.py"] == sha256((inbox / "decoding.py").read_bytes()).hexdigest()
        own = json.loads((inbox / "receipt.json").read_bytes())
        listed = {file["name"]: file["sha256"] for file in own["files"]}
        assert (listed["decoding.py"] == graded["decoding.py"]) == (student == "ada")
        assert datetime.fromisoformat(attempt["arrived"]) == ARRIVED and attempt["late"] is False
        assert "1999" not in json.dumps(told), "the student's own clock is not in it"
        assert told["points"] > 0 and told["status"] and told["lab"] == "lab1"


def test_doing_it_again_writes_nothing(graded_two):
    where, _ = graded_two
    before = {path: path.stat().st_mtime_ns for path in acknowledge("lab1", where)}
    assert {path: path.stat().st_mtime_ns for path in acknowledge("lab1", where)} == before


def test_a_link_is_named_and_not_followed(graded_two):
    where, at = graded_two
    link = at.inbox / "bob" / "lab1" / "notes.py"
    link.symlink_to(at.root / "roster.csv")
    try:
        acknowledge("lab1", where)
        told = (at.root / "receipts" / "lab1" / "bob.json").read_text()
        assert sha256((at.root / "roster.csv").read_bytes()).hexdigest() not in told
    finally:
        link.unlink()


def test_before_grading_it_says_what_to_do(released):
    with pytest.raises(CourseError, match="Run `llmlab grade lab1` first"):
        acknowledge("lab1", released.course)


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (["receipts", "lab1"], 0, "Receipts: 2 in"),
        (["similarity", "lab1"], 0, "A flag only"),
        (["similarity", "lab1", "--threshold", "7"], 1, "above 0 and at most 1"),
        (["export-as", "canvas", "lab1", "--assignment-id", "12"], 0, "canvas.csv"),
        (["export-as", "gradescope", "lab1"], 0, "exports/lab1/gradescope"),
        (["export-as", "word", "lab1"], 1, "no format 'word'"),
        (["export-as", "junit", "lab1", "--id-column", "x"], 1, "no option id_column"),
        (["publish-solutions", "lab1"], 1, "has no deadline"),
        (["publish-solutions", "lab1", "--force"], 0, "lab1-solutions"),
        (["harness-folder", "lab1", "--for", "moodle"], 1, "There is: gradescope"),
        (["receipts", "lab9"], 2, "no lab 'lab9'"),
    ],
)
def test_the_commands(graded_two, capsys, argv, code, says):
    where, _ = graded_two
    assert run([*argv, "--course", str(where.root)]) == code
    out, err = capsys.readouterr()
    assert says in " ".join((out + err).split()) and "Traceback" not in out + err
