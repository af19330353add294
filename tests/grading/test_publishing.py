"""Solutions go out when nobody has time left, and nothing that must stay hidden goes with them."""

import json
import shutil
import zipfile
from datetime import UTC, datetime, timedelta

import nbformat
import pytest

from llmlab.grading import leaks, publishing, variants
from llmlab.grading.course import CourseError
from llmlab.grading.publishing import publish

DUE = datetime(2026, 11, 20, 22, 59, tzinfo=UTC)
BEFORE, AFTER = DUE - timedelta(hours=1), DUE + timedelta(days=30)
DEADLINES = """
[lab1]
due = 2026-11-20T22:59:00Z
[lab1.students.ada]
due = 2026-11-27T22:59:00Z
[lab1.students.bob]
due = 2026-11-24T22:59:00Z
[lab1.students.grace]
excused = true
"""


@pytest.fixture
def course(released):
    (released.root / "deadlines.toml").write_text(DEADLINES)
    mutants = released.course.solutions / "mutants"  # a link in the small course; a scan follows none
    real = mutants.resolve()
    mutants.unlink()
    shutil.copytree(real, mutants)
    return released.course


def test_before_the_last_extension_it_names_who_and_when(course):
    with pytest.raises(CourseError, match=r"due on 2026-11-27 22:59 UTC \(bob, ada last\)"):
        publish("lab1", course, now=BEFORE)
    with pytest.raises(CourseError, match="bob, ada may hand in lab1 until 2026-11-27 22:59 UTC"):
        publish("lab1", course, now=DUE)
    with pytest.raises(CourseError, match="^ada may hand in lab1 until 2026-11-27 22:59 UTC.*--force"):
        publish("lab1", course, now=DUE + timedelta(days=5))
    assert not (course.root / "dist").exists()
    folder, notes = publish("lab1", course, now=AFTER)
    assert folder == course.root / "dist" / "lab1-solutions" and notes == [
        "grace: excused, and may still hand in"
    ]


def test_force_publishes_and_says_so(course):
    assert any("although lab1 is due" in note for note in publish("lab1", course, force=True, now=BEFORE)[1])
    (course.assignments / "deadlines.toml").unlink()
    with pytest.raises(CourseError, match="no deadline in assignments/deadlines.toml"):
        publish("lab1", course, now=AFTER)
    assert publish("lab1", course, force=True, now=AFTER)[1]


def test_what_is_published_is_solved_and_runs(course, released):
    folder, _ = publish("lab1", course, now=AFTER)
    names = {"decoding.py", "penalties.py", "lab1.ipynb", "llmlab.toml"}
    assert {path.name for path in folder.iterdir()} == names
    for module in ("decoding", "penalties"):
        text = (folder / f"{module}.py").read_text()
        assert "SOLUTION" not in text and "NotImplementedError" not in text
        kept = [line for line in variants.solution(module).decode().splitlines() if "### " not in line]
        assert text.splitlines() == kept
        compile(text, module, "exec")
    notebook = nbformat.read(folder / "lab1.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) == len(nbformat.read(released.master, as_version=4).cells)
    assert not any("nbgrader" in cell.metadata for cell in notebook.cells)
    with zipfile.ZipFile(course.root / "dist" / "lab1-solutions.zip") as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    assert inside == {f"lab1-solutions/{name}": (folder / name).read_bytes() for name in names}


def test_nothing_hidden_is_in_it(course):
    """Judged by text, not by the scan that publishing itself uses."""
    folder, _ = publish("lab1", course, now=AFTER)
    everything = "\n".join(path.read_text() for path in folder.iterdir())
    for module in ("decoding", "penalties"):
        for file in [
            course.solutions / "hidden" / f"{module}.py",
            *(course.solutions / "mutants" / module).glob("*.py"),
        ]:
            for line in file.read_text().splitlines():
                if "SEED =" in line or line.startswith(("def extra", "says:")) or "Case(" in line:
                    assert line.strip() not in everything, file
    assert "Key(" not in everything and "hidden" not in everything.lower()
    notebook = json.loads((folder / "lab1.ipynb").read_text())
    assert '"entropy-t1": None' in "".join("".join(cell["source"]) for cell in notebook["cells"])


def test_numbers_only_on_request(course):
    folder, _ = publish("lab1", course, numbers=True, now=AFTER)
    text = "".join(
        "".join(cell["source"]) for cell in json.loads((folder / "lab1.ipynb").read_text())["cells"]
    )
    assert '"entropy-t1": 0.25' in text and '"nucleus-size": 5' in text, "the keys of this test's course"


@pytest.mark.parametrize(
    "where", ["hidden/decoding.py", "mutants/decoding/generate_argmax_at_any_temperature.py"]
)
def test_a_solution_that_quotes_a_secret_is_not_published(course, where):
    quoted = (course.solutions / where).read_text()
    assert leaks.answers_in(quoted, where), "long enough to count as a secret"
    mine = course.solutions / "decoding.py"
    text = mine.read_text()
    mine.unlink()
    secret = quoted.replace("from __future__ import annotations", "")
    mine.write_text("### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n" + text + "\n\n" + secret)
    with pytest.raises(CourseError, match="must stay hidden.*decoding.py.*Nothing was published"):
        publish("lab1", course, now=AFTER)
    assert not (course.root / "dist").exists()


def test_hidden_tests_in_a_cell_are_left_out():
    source = "x = 1\n### BEGIN HIDDEN TESTS\nassert x == 1\n### END HIDDEN TESTS\ny = 2\n"
    assert publishing.unmarked(source) == "x = 1\ny = 2\n"
