"""Ledger, roster, answers, lookup, markdown, export, release: each on its own."""

import csv
import io
import json
import shutil

import nbformat
import pytest
from nbgrader.utils import determine_grade

from llmlab.checks.answers import Question
from llmlab.grading import answers, export, nbgrader_api, places, roster, sanitise
from llmlab.grading.course import CourseError, course
from llmlab.grading.ledger import Ledger
from llmlab.grading.lookup import LedgerLookup
from llmlab.grading.release import release, source_notebook
from llmlab.grading.summary import Row


def test_a_half_written_record_is_as_good_as_none(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.write("ada", "verdicts", {"a": 1})
    assert ledger.read("ada", "verdicts") == {"a": 1} and ledger.students() == ["ada"]
    ledger.file("ada", "verdicts").write_text('{"a": ')
    assert ledger.read("ada", "verdicts") == {} == ledger.read("bob", "verdicts")
    assert [path.name for path in (tmp_path / "ada").iterdir()] == ["verdicts.json"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name,email\nada,x\n", "Needed: id"),
        ("id,grade\nada,1\n", "grade"),
        ("id,id\na,b\n", "columns are id, id"),
        ("", "columns are none"),
        ("id\n../x\n", "line 2: '../x' cannot be a student id"),
        ("id\nada\nada\n", "more than once"),
        ("id,first_name\nada,=1+1\n", "formula"),
        ("id,first_name\nada\n", "1 values for 2 columns"),
    ],
)
def test_a_bad_roster_says_what_to_mend(tmp_path, text, why):
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(CourseError, match=why):
        roster.read(tmp_path / "roster.csv")


def test_a_roster_is_read_and_entered(released):
    released.roster.write_bytes("\ufeffid,last_name\r\nada,Lovelace\r\n\r\n007,Bond\r\n".encode())
    students = roster.read(released.roster)
    assert [(one.id, one.last_name) for one in students] == [("ada", "Lovelace"), ("007", "Bond")]
    for _ in range(2):
        with nbgrader_api.Nbgrader(released.root).gradebook() as gradebook:
            roster.enter(students, gradebook)
            assert sorted(one.id for one in gradebook.students) == ["007", "ada"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("x = 1", "does not assign ANSWERS"),
        ("ANSWERS = {", "not Python"),
        ("ANSWERS = dict(a=1)", "plain numbers"),
        ("ANSWERS = {'a': __import__('os').getpid()}", "plain numbers"),
        ("ANSWERS = [1]", "is a list"),
        ("ANSWERS = " + "(" * 5_000 + ")" * 5_000, "Write the cell as"),
        ("#" * 20_001, "at most 20000"),
    ],
)
def test_answers_that_cannot_be_read(source, why):
    with pytest.raises(answers.AnswerError, match=why):
        answers.read(source)


def test_answers_are_judged_by_the_key():
    question = Question("q", "lab1", "a number", 2, "nats", "part1/x.html", low=0, high=10)
    key = answers.Key(1.5, 0.01, {"in-bits": (2.164, "That is in bits; divide by log2(e).")})
    told = {
        value: answers.judge(question, key, value)
        for value in (1.5, 1.505, 3.25, 2.164, 11, "1.5", None, True)
    }
    assert [value for value, verdict in told.items() if verdict.ok] == [1.5, 1.505]
    assert told[2.164].misconception == "in-bits" and "log2" in told[2.164].message
    assert not any("1.5" in told[value].message for value in (3.25, 2.164, 11, None)), (
        "the right value is not given away"
    )


def looked_up(tmp_path, record):
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(
                "check()",
                metadata={"nbgrader": {"grade": True, "solution": False, "grade_id": "q", "points": 2}},
            ),
            nbformat.v4.new_code_cell("1 / 0"),
        ]
    )
    if record is not None:
        Ledger(tmp_path / "lab1").write("ada", "verdicts", record)
    lookup = LedgerLookup(ledger=str(tmp_path), book="book/")
    cells = lookup.preprocess(
        notebook, {"nbgrader": {"assignment": "lab1", "student": "ada", "notebook": "lab1"}}
    )[0].cells
    assert cells[1].outputs == []
    return determine_grade(cells[0])[0], cells[0].outputs[0]["data"]


@pytest.mark.parametrize(("given", "points"), [(1.5, 1.5), (2, 2), (99, 2), (-1, 0), ("2", 0), (None, 0)])
def test_nbgrader_reads_the_points_that_the_ledger_holds(tmp_path, given, points):
    """Judged by nbgrader's own `determine_grade`."""
    record = {"cells": {"q": {"title": "t", "points": given, "max": 2, "message": "m", "groups": []}}}
    assert looked_up(tmp_path, record)[0] == points


def test_without_a_verdict_there_are_no_points_and_a_reason(tmp_path):
    score, shown = looked_up(tmp_path, None)
    assert (
        score == 0
        and "not graded by intake" in shown["text/plain"]
        and "not graded by intake" in shown["text/html"]
    )
    assert "no verdict for this cell" in looked_up(tmp_path, {"cells": {}})[1]["text/plain"]
    assert (
        looked_up(
            tmp_path, {"cells": {"q": {"title": "t", "points": 2, "groups": [{"odd": 1}], "message": ""}}}
        )[0]
        == 0
    )


def test_what_a_student_printed_is_escaped(tmp_path):
    bad = "<img src=x onerror=alert(1)>"
    group = {
        "name": bad,
        "points": 1,
        "earned": 0,
        "cases": 1,
        "passed": 0,
        "show": bad,
        "message": bad,
        "expected": bad,
        "got": bad,
        "printed": bad,
    }
    record = {
        "cells": {
            "q": {
                "title": bad,
                "points": 0,
                "max": 2,
                "read": '"><script>',
                "message": bad,
                "groups": [group],
            }
        }
    }
    page = looked_up(tmp_path, record)[1]["text/html"]
    assert "<img" not in page and "<script" not in page and "&lt;img src=x" in page


@pytest.mark.parametrize(
    "bad",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "<a href='data:text/html,x'>y</a>",
        "<svg/onload=alert(1)>",
        "<iframe src='https://example.org'></iframe>",
        "<style>body{display:none}</style>",
        "```<script>\nalert(1)\n```",
        "![x](https://example.org/track.png)",
        "<form action='https://example.org'><input></form>",
        "$x$<script>alert(1)</script>$y$",
        "<math><mtext><script>alert(1)</script></mtext></math>",
    ],
)
def test_markdown_cannot_run_or_reach_out(bad):
    from bs4 import BeautifulSoup

    page = BeautifulSoup(sanitise.markdown2html({}, f"fine\n\n{bad}\n"), "html.parser")
    assert not page.find_all(["script", "svg", "iframe", "style", "form", "input", "object"])
    assert not page.select("math script, math mtext")  # formulas of ours, none of theirs
    for tag in page.find_all(True):
        assert not [name for name in tag.attrs if name.startswith("on") or name == "style"]
        assert not str(tag.get("href", "")).startswith(("javascript", "data"))
        assert not str(tag.get("src", "")).startswith("http")
    assert "fine" in page.get_text()


def test_the_csv_holds_no_formula():
    rows = [
        Row("=1+1", "refused", 0, 10, reason="+cmd|' /C calc'!A0"),
        Row("ada", "graded", 7.5, 10, reason='a "b", c\nd'),
    ]
    read = list(csv.DictReader(io.StringIO(export.table("lab1", rows))))
    assert [row["student_id"] for row in read] == ["'=1+1", "ada"]
    assert (
        read[0]["reason"].startswith("'+") and read[1]["reason"] == 'a "b", c d' and read[1]["score"] == "7.5"
    )


def test_a_release_is_the_same_every_time(released, tmp_path):
    before = {path: path.read_bytes() for path in released.release.iterdir()}
    times = {path: path.stat().st_mtime_ns for path in before}
    release("lab1", released.course)
    assert {path: path.stat().st_mtime_ns for path in before} == times, "nothing changed, nothing is written"
    shutil.rmtree(released.release)
    release("lab1", released.course)
    assert {path: path.read_bytes() for path in released.release.iterdir()} == before
    assert sorted(path.name for path in before) == [
        "decoding.py",
        "lab1.ipynb",
        "llmlab.toml",
        "penalties.py",
    ]
    assert not list(released.source.glob("*.py"))
    assert all(b"BEGIN SOLUTION" not in content for content in before.values())
    cells = json.loads(released.master.read_bytes())["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"grade_id": "decoding-top_p"', '"grade_id": "decoding-top_q"', "belongs to no task"),
        ('"grade_id": "decoding-top_p"', '"grade_id": "decoding-greedy"', "used twice"),
        ('"points": 3.0, "solution": true', '"points": 3.0, "solution": false', "belongs to no task"),
        ('llmlab.check("decoding.top_p")', "pass", "must call"),
        ('"grade_id": "lab1-answers"', '"grade_id": "answers"', "no cell 'lab1-answers'"),
    ],
)
def test_a_lab_in_which_a_point_could_be_lost_is_not_released(small, old, new, why):
    at = places.desk("lab1", small)
    text = at.text.read_text()
    assert old in text
    at.text.write_text(text.replace(old, new))
    with pytest.raises(CourseError, match=why):
        source_notebook(at)


def test_wrong_points_are_named(small):
    at = places.desk("lab1", small)
    points = next(task.points for task in at.tasks if task.id == "decoding.top_p")
    old = f'"grade_id": "decoding-top_p", "points": {points}'
    assert old in at.text.read_text()
    at.text.write_text(at.text.read_text().replace(old, '"grade_id": "decoding-top_p", "points": 99'))
    with pytest.raises(CourseError, match="gives 99 points; its check gives"):
        source_notebook(at)


def test_a_text_in_parts_is_the_same_notebook_and_a_part_that_cannot_be_read_is_named(small):
    at = places.desk("lab1", small)
    whole, cells = source_notebook(at), at.text.read_text().split("\n\n# %%")
    for name, some in (("lab1", cells[:2]), ("lab1_2", cells[2:5]), ("lab1_3", cells[5:])):
        text = "\n\n# %%".join(some)
        at.text.with_name(f"{name}.py").write_text(text if name == "lab1" else f"# %%{text}")
    assert [part.name for part in at.texts] == ["lab1.py", "lab1_2.py", "lab1_3.py"]
    assert source_notebook(at) == whole
    at.text.with_name("lab1_2.py").write_text("# ---\n# jupyter: [\n# ---\n")
    with pytest.raises(CourseError, match="lab1_2.py: a raw cell"):
        source_notebook(at)


def test_a_wrong_lab_lists_the_labs(small):
    with pytest.raises(CourseError, match="no lab 'lab9'. The labs are: lab1"):
        places.desk("lab9", small)


def test_the_published_roster_is_the_sample_class(few_tasks):
    students = {one.id for one in roster.read(course().assignments / "roster.csv")}
    assert {"perfect", "absent-01", "absent-02"} <= students
