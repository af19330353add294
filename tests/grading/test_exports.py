"""Every format, read back by a reader that knows only the format: csv, json, xml.etree, yaml."""

import csv
import io
import json
import re
import unicodedata
from datetime import UTC, datetime
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml
from nbgrader.api import Gradebook

from llmlab.grading import export, exports, pipeline, variants
from llmlab.grading.course import CourseError
from llmlab.grading.exports import cells, classroom, gradescope, junit, tables
from llmlab.grading.exports.results import Item, Result, results
from llmlab.grading.ledger import Ledger
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import desk
from llmlab.grading.sample_students import unmarked
from llmlab.grading.summary import Row
from tests.grading import lab_text

OWASP = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""The first characters that OWASP's page "CSV Injection" lists."""
HOSTILE = [
    *(sign + "cmd|' /C calc'!A0" for sign in OWASP),
    " =1+1",
    '"=1+1',
    '" "=1+1',
    "\x00=1+1",
    "\x1b[31m=1+1",
    "\u202e=1+1",
    "\u200b=1+1",
    "\ufeff=1+1",
    "\xa0=1+1",
    "x;=1+1",
    'x"; =1+1',
    "\n=1",
    "﹢1",
    "”=1",
]
NASTY = "\x1b]0;t\x07<b>&\"'\x00\x08\ud800\ufffe\u202e ]]><script>alert(1)</script>\x1b[2J\nzweite Zeile 日本"


def dangerous(cell: str) -> bool:
    """Written from OWASP's list, not ours: is this cell, or a part behind `;`, a formula or a control?"""
    for part in cell.split(";"):
        bare = part.strip(' "\xa0\u200b\ufeff”“')
        if bare and (bare[0] in OWASP or unicodedata.normalize("NFKC", bare[0]) in OWASP):
            return True
    return any(
        ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        for c in cell
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_is_a_formula(text):
    row = Row(text, "graded", 1, 2, reason=text, first_name=text, last_name=text, email=text)
    one = Result(row, (), datetime(2026, 11, 1, tzinfo=UTC), text)
    for made in (tables.generic("lab1", [row]), tables.canvas("lab1", [one]), tables.moodle("lab1", [one])):
        rows = list(csv.reader(io.StringIO(made, newline=""), strict=True))
        assert len({len(cells) for cells in rows}) == 1
        for cell in rows[-1]:
            assert not dangerous(cell), cell
    assert dangerous(text), "the judge of this test would have seen it"


@pytest.mark.parametrize("text", ["ada", "O'Brien", "Müller, Jürgen", "李雷", "a-b=c", "got [0.1, -0.5]", ""])
def test_ordinary_text_stays_as_it_is(text):
    assert cells.safe(text) == text


def test_numbers_stay_numbers():
    rows = [Row("ada", "graded", points, 88.0) for points in (0.0, 7.25, 1234.5678, 88.0)]
    read = list(csv.DictReader(io.StringIO(tables.generic("lab1", rows))))
    assert [float(row["score"]) for row in read] == [0.0, 7.25, 1234.5678, 88.0]
    for value in (float("nan"), float("inf")):
        with pytest.raises(CourseError, match="no grade"):
            cells.number(value)


def nasty(status="graded", points=1.0, waiting=False, name="decoding-top_p") -> Item:
    return Item(name, NASTY, "decoding", points, 2.0, status, NASTY, ("drops-crossing-token",), 0.25, waiting)


def result(student="ada", status="graded", items=(), **more) -> Result:
    return Result(
        Row(student, status, 1.0, 4.0, reason=NASTY, **more),
        tuple(items),
        datetime(2026, 11, 1, 12, tzinfo=UTC),
        NASTY,
    )


def test_canvas_has_its_columns_and_the_row_of_points():
    made = tables.canvas(
        "lab1", [result(last_name="Lovelace", first_name="Ada"), result("bob", "missing")], assignment_id="42"
    )
    head, possible, ada, bob = csv.reader(io.StringIO(made))
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "lab1 (42)"]
    assert possible[0].strip() == "Points Possible" and possible[1:] == ["", "", "", "", "4"]
    assert ada == ["Lovelace, Ada", "", "ada", "", "", "1"]
    assert bob == ["bob", "", "bob", "", "", ""], "no result: Canvas keeps what it has"
    assert list(csv.reader(io.StringIO(tables.canvas("lab1", [result()], "sis-login"))))[2][3] == "ada"
    with pytest.raises(CourseError, match="no id column 'mail'. There are: sis-user, sis-login, canvas"):
        tables.canvas("lab1", [], "mail")
    with pytest.raises(CourseError, match="no Canvas assignment id"):
        tables.canvas("lab1", [], assignment_id="4),=1")


def test_moodle_names_its_columns_and_shows_no_markup():
    made = tables.moodle("lab1", [result(email="ada@example.org"), result("bob", "missing")])
    ada, bob = csv.DictReader(io.StringIO(made))
    assert (ada["ID number"], ada["Email address"], ada["Assignment: lab1 (Real)"]) == (
        "ada",
        "ada@example.org",
        "1",
    )
    comment = ada["Assignment: lab1 (Feedback)"]
    assert "<" not in comment and "&lt;script&gt;" in comment
    assert bob["Assignment: lab1 (Real)"] == bob["Assignment: lab1 (Feedback)"] == ""


WORKSHEET = (
    '\ufeffIdentifier,"Full name","ID number","Email address",Status,Grade,"Maximum Grade",'
    '"Grade can be changed","Last modified (grade)","Feedback comments"\n'
    '"Participant 7","Ada L",ada,x@example.org,"Submitted for grading",,4.00,Yes,-,\n'
    '"Participant 8","Bob, B",,BOB@example.org,"Submitted for grading",,"4,00",Yes,-,old\n'
    '"Participant 9","Eve",eve,eve@example.org,"No submission",,4.00,Yes,-,\n'
)


def test_a_moodle_worksheet_is_filled_in_and_nothing_else_changed(tmp_path):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(WORKSHEET, encoding="utf-8")
    made = tables.moodle_worksheet([result(), result("b7", email="bob@example.org"), result("zoe")], sheet)
    before, after = (list(csv.DictReader(io.StringIO(text))) for text in (WORKSHEET.lstrip("\ufeff"), made))
    assert [row["Grade"] for row in after] == ["1", "1", ""]
    assert after[2] == before[2] and after[0]["Feedback comments"] and after[1]["Full name"] == "Bob, B"
    for old, new in zip(before, after, strict=True):
        assert {k: v for k, v in old.items() if k not in ("Grade", "Feedback comments")} == {
            k: v for k, v in new.items() if k not in ("Grade", "Feedback comments")
        }
    sheet.write_text(WORKSHEET.replace("4.00", "100.00"), encoding="utf-8")
    with pytest.raises(CourseError, match="maximum grade is 100.00; here it is 4"):
        tables.moodle_worksheet([result()], sheet)
    sheet.write_text("a,b\n1,2\n")
    with pytest.raises(CourseError, match="no column Identifier"):
        tables.moodle_worksheet([result()], sheet)


VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
FORMATTED = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
SPEC = {
    "type": "object",
    "additionalProperties": False,
    "anyOf": [{"required": ["score"]}, {"required": ["tests"]}],
    "properties": {
        "score": {"type": "number"},
        "execution_time": {"type": "number"},
        "output": {"type": "string"},
        "output_format": FORMATTED,
        "test_output_format": FORMATTED,
        "test_name_format": FORMATTED,
        "visibility": VISIBILITY,
        "stdout_visibility": VISIBILITY,
        "extra_data": {"type": "object"},
        "leaderboard": {"type": "array"},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "score": {"type": "number"},
                    "max_score": {"type": "number"},
                    "status": {"enum": ["passed", "failed"]},
                    "name": {"type": "string"},
                    "name_format": FORMATTED,
                    "number": {"type": "string"},
                    "output": {"type": "string"},
                    "output_format": FORMATTED,
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "visibility": VISIBILITY,
                    "extra_data": {"type": "object"},
                },
            },
        },
    },
}
"""Gradescope's autograder specification (section "Output format"), written as a JSON schema."""


def test_gradescope_results_follow_its_specification():
    items = [nasty(points=2.0), nasty(), nasty(waiting=True, points=0.0, name="written-why")]
    raw = gradescope.encode(gradescope.results_json(result(items=items)))
    told = json.loads(raw.decode("ascii"), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    jsonschema.Draft202012Validator(SPEC).validate(told)
    assert told["score"] == 1.0 and [test.get("status") for test in told["tests"]] == [
        "passed",
        "failed",
        None,
    ]
    assert told["output_format"] == told["test_output_format"] == told["test_name_format"] == "text"
    shown = json.dumps(told, ensure_ascii=False)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", shown.replace("\\n", ""))
    assert "\\u001b" not in shown and "zweite Zeile 日本" in shown
    jsonschema.Draft202012Validator(SPEC).validate(gradescope.failed("it broke"))


CASE = {"name", "classname", "time"}
SUITE = {"package", "id", "name", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time"}


def test_junit_is_xml_of_the_schema_and_counts_right():
    items = [nasty(points=2.0), nasty(), nasty("crashed", 0.0), nasty(waiting=True)]
    raw = junit.junit("lab1", [result(items=items), result("=bob\x00", "missing", [nasty("missing", 0.0)])])
    root = ElementTree.fromstring(raw)
    assert root.tag == "testsuites" and [suite.tag for suite in root] == ["testsuite"] * 2
    for number, suite in enumerate(root):
        assert set(suite.attrib) == SUITE and suite.get("id") == str(number)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
        tags = [child.tag for child in suite]
        assert tags == ["properties", *["testcase"] * (len(tags) - 3), "system-out", "system-err"]
        for case in suite.iter("testcase"):
            assert set(case.attrib) == CASE and float(case.get("time")) >= 0
            assert [child.tag for child in case] in ([], ["failure"], ["error"], ["skipped"])
        for counted, tag in (
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ):
            assert int(suite.get(counted)) == len(list(suite.iter(tag)))
    assert [[child.tag for child in case] for case in root[0].iter("testcase")] == [
        [],
        ["failure"],
        ["error"],
        ["skipped"],
    ]
    assert root[1].find("testcase/skipped") is not None
    assert {tag.tag for tag in root.iter()} <= {
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "testcase",
        "failure",
        "error",
        "skipped",
        "system-out",
        "system-err",
    }, "no element comes from a student's text"
    assert "<script>alert(1)</script>" in root[0].find("testcase/failure").text
    assert b"\x1b" not in raw and b"\0" not in raw and b"<script" not in raw


def test_the_classroom_workflow_runs_each_public_check_once(released):
    tasks = released.tasks
    told = yaml.safe_load(classroom.classroom("lab1", tasks))
    assert set(told[True]) == {"push", "repository_dispatch"} and told["permissions"]["contents"] == "read"
    job = told["jobs"]["run-autograding-tests"]
    graders = [step for step in job["steps"] if "command" in step.get("with", {})]
    assert [step["with"]["command"] for step in graders] == [f"llmlab check {task.id}" for task in tasks]
    assert sum(step["with"]["max-score"] for step in graders) == sum(task.points for task in tasks)
    ids = [step["id"] for step in graders]
    report = job["steps"][-1]
    assert report["with"]["runners"].split(",") == ids and len(set(ids)) == len(ids)
    assert set(report["env"]) == {f"{name.upper()}_RESULTS" for name in ids}
    text = classroom.classroom("lab1", tasks)
    for step in job["steps"]:
        if "uses" in step:
            assert re.search(r"@([0-9a-f]{40}|v\d+)$", step["uses"]), step
    assert job["steps"][0]["with"]["persist-credentials"] is False
    assert "secrets." not in text and "hidden" not in text and "solutions" not in text


@pytest.fixture(scope="module")
def small_class(tmp_path_factory, few_tasks):
    """Three students: everything right, nothing done and not in the roster, nothing handed in."""
    where = lab_text.released_course(tmp_path_factory.mktemp("small") / "course")
    (where.assignments / "roster.csv").write_text(
        "id,first_name,last_name,email\nada,Ada,Lovelace,ada@example.org\nbob,Bob,Example,bob@example.org\n"
    )
    at = desk("lab1", where)
    for student in ("ada", "zoe"):
        folder = at.inbox / student / "lab1"
        folder.mkdir(parents=True)
        (folder / "lab1.ipynb").write_bytes(at.master.read_bytes())
        for module in at.modules:
            source = (at.release / f"{module}.py").read_bytes()
            (folder / f"{module}.py").write_bytes(
                source if student == "zoe" else unmarked(variants.solution(module, where))
            )
    pipeline.grade("lab1", where)
    return where, at


def test_every_format_agrees_with_the_gradebook(small_class):
    where, at = small_class
    with Gradebook(Nbgrader(at.root).coursedir.db_url, "llmlab") as gradebook:
        scores = {one.student.id: one.score for one in gradebook.assignment_submissions("lab1")}
        most = gradebook.find_assignment("lab1").max_score
    right = sum(task.points for task in at.tasks)
    assert scores == {"ada": right, "zoe": 0.0}
    told = {name: exports.write(name, "lab1", where) for name in exports.FORMATS}
    assert all(path.is_relative_to(at.root / "exports" / "lab1") for path in told.values())

    def table(name):
        return list(csv.DictReader(io.StringIO(told[name].read_text(encoding="utf-8"))))

    assert {row["student_id"]: float(row["score"]) for row in table("generic")} == scores | {"bob": 0.0}
    canvas = {row["SIS User ID"]: row["lab1"] for row in table("canvas")}
    assert canvas == {"": f"{most:g}", "ada": f"{right:g}", "bob": "", "zoe": "0"}
    assert {row["ID number"]: row["Assignment: lab1 (Real)"] for row in table("moodle")} == {
        "ada": f"{right:g}",
        "bob": "",
        "zoe": "0",
    }
    for student, points in scores.items():
        document = json.loads((told["gradescope"] / f"{student}.json").read_bytes())
        jsonschema.Draft202012Validator(SPEC).validate(document)
        assert document["score"] == points == sum(test["score"] for test in document["tests"])
        assert sum(test["max_score"] for test in document["tests"]) == most
    suites = {suite.get("name"): suite for suite in ElementTree.parse(told["junit"]).getroot()}
    assert set(suites) == {"ada", "bob", "zoe"}
    assert int(suites["zoe"].get("failures")) >= len(at.tasks) and suites["bob"].get("skipped") == suites[
        "bob"
    ].get("tests")
    assert (
        exports.write("canvas", "lab1", where, at.root / "mine.csv", assignment_id="7")
        .read_text()
        .startswith("Student,ID")
    )


def test_a_score_that_a_person_gave_is_exported(small_class):
    where, at = small_class
    with Nbgrader(at.root).gradebook() as gradebook:
        grade = gradebook.find_grade("written-loops", "lab1", "lab1", "zoe")
        before, grade.manual_score = grade.manual_score, 2.5
        gradebook.db.commit()
        try:
            zoe = next(one for one in results(at) if one.row.student == "zoe")
            assert next(item for item in zoe.items if item.id == "written-loops").points == 2.5
            assert zoe.row.points == 2.5
        finally:
            grade.manual_score = before
            gradebook.db.commit()


def test_students_are_told_no_more_than_the_feedback_tells(small_class):
    where, at = small_class
    cells = Ledger(at.ledger).read("zoe", "verdicts")["cells"]
    said = {name: told["message"] for name, told in cells.items() if told["points"] == 0}
    shown = {item.id: item for item in next(one for one in results(at) if one.row.student == "zoe").items}
    assert len(said) >= len(at.tasks) and all(
        shown[name].message == message for name, message in said.items()
    )
    (at.root / "course.toml").write_text('[feedback]\nshow = "none"\n')
    try:
        zoe = next(one for one in results(at) if one.row.student == "zoe")
        assert zoe.comment == zoe.row.status and not any(item.misconceptions for item in zoe.items)
        assert not any(item.message for item in zoe.items if item.id in said)
        assert "decoding" not in exports.write("moodle", "lab1", where).read_text()
    finally:
        (at.root / "course.toml").unlink()


def test_what_cannot_be_exported_says_why(small_class, small):
    where, _ = small_class
    for call, why in [
        (
            lambda: exports.write("excel", "lab1", where),
            "no format 'excel'. The formats are: generic, canvas",
        ),
        (lambda: exports.write("junit", "lab1", where, worksheet="x"), "no option worksheet. It has: none"),
        (lambda: exports.write("junit", "lab1", where, where.root), "is a folder; junit needs the other"),
        (lambda: exports.write("canvas", "lab1", small), "not in the gradebook. Run `llmlab release lab1`"),
        (lambda: export.export("lab1", small), "not in the gradebook"),
    ]:
        with pytest.raises(CourseError, match=why):
            call()
