"""Three levels of feedback: what each tells, where the choice stands, and that changing it grades nothing
again.
"""

import json
import re
import shutil

import pytest
import typer
from bs4 import BeautifulSoup
from typer.testing import CliRunner

from llmlab.cli import feedback_commands
from llmlab.grading import disclosure, pipeline, sample_class
from llmlab.grading.course import CourseError
from llmlab.grading.feedback import feedback
from llmlab.grading.ledger import Ledger
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.page_state import first, only_page
from llmlab.grading.render import as_html, as_text
from llmlab.grading.sample_students import Maker

STUDENT = "mistake-02"
FAILED = {
    "name": "one row",
    "points": 1,
    "earned": 0,
    "cases": 5,
    "passed": 3,
    "show": "top_p(INPUT, 0.5)",
    "message": "The crossing token was dropped. "
    "(first difference at index 1: expected 0.71828, got -inf; largest error 0.71828)",
    "expected": "EXPECTED 0.71828",
    "got": "GOT -inf",
    "misconception": "drops-crossing-token",
    "printed": "PRINTED",
}
VERDICT = {
    "title": "decoding.top_p",
    "points": 1.0,
    "max": 4.0,
    "read": "part1/truncation.html#sec",
    "status": "wrong",
    "message": FAILED["message"],
    "groups": [{"name": "edges", "points": 3, "earned": 3, "cases": 1, "passed": 1}, FAILED],
}
INPUTS, VALUES, CASE = (
    ("INPUT", "PRINTED"),
    ("EXPECTED", "0.71828"),
    ("crossing token", "GOT", "one row", "3 / 5", "3/5"),
)


@pytest.mark.parametrize(
    ("level", "shown", "hidden"),
    [
        ("full", (*INPUTS, *VALUES, "crossing token", "GOT"), ()),
        ("actual", ("crossing token", "GOT", "got -inf", "one row"), (*INPUTS, *VALUES)),
        ("none", (), (*INPUTS, *VALUES, *CASE, "edges")),
    ],
)
def test_what_each_level_tells(level, shown, hidden):
    told = disclosure.disclosed(VERDICT, level, "decoding-top_p")
    for page in (as_html(told), as_text(told), json.dumps(told), first(told)):
        assert not [word for word in hidden if word in page], page
    page = as_html(told)
    assert not [word for word in shown if word not in page]
    assert "1 / 4" in page and "decoding.top_p" in page and "part1/truncation.html#sec" in page
    assert VERDICT["groups"][1] is FAILED and "show" in FAILED, "the ledger's own record stays as it is"


def test_an_unknown_level_is_an_error():
    with pytest.raises(CourseError, match="show is 'ful'; choose one of full, actual, none"):
        disclosure.disclosed(VERDICT, "ful")


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ("expected shape (2, 3), got shape (3, 2)", "got shape (3, 2)"),
        ("first difference at index (0, 1): expected nan, got 2", "first difference at index (0, 1): got 2"),
        ("Expected 4 hypotheses, got 2.", "got 2."),
        (
            "Token 3 has probability 0.2500, so about 500 of 2000 draws, but was drawn 0 times "
            "(chi-square p = 0)",
            "Token 3, in 2000 draws, was drawn 0 times (chi-square p = 0)",
        ),
        (
            "The tokens are right, but the reason is not in row 2.",
            "The tokens are right, but the reason is not in row 2.",
        ),
    ],
)
def test_messages_lose_the_values_they_expected(message, left):
    assert disclosure.without_expected(message) == left


@pytest.mark.parametrize("status", ["missing", "unreadable"])
def test_a_file_that_could_not_be_read_is_said_at_every_level(status):
    verdict = VERDICT | {
        "status": status,
        "message": "decoding.py was not handed in",
        "groups": [],
        "points": 0.0,
    }
    for level in disclosure.LEVELS:
        assert "was not handed in" in as_html(disclosure.disclosed(verdict, level))


def test_a_number_is_never_answered_with_the_right_one():
    verdict = VERDICT | {"groups": [FAILED]}
    for level in disclosure.LEVELS:
        told = json.dumps(disclosure.disclosed(verdict, level, "answer-entropy-t1"))
        assert "EXPECTED" not in told


@pytest.mark.parametrize(
    ("text", "lab", "level"),
    [
        (None, "lab1", "full"),
        ("gradebook = 'sqlite:///x.db'\n", "lab1", "full"),
        ('[feedback]\nshow = "actual"\n', "lab1", "actual"),
        ('[feedback]\nshow = "actual"\n[feedback.lab2]\nshow = "none"\n', "lab1", "actual"),
        ('[feedback]\nshow = "actual"\n[feedback.lab2]\nshow = "none"\n', "lab2", "none"),
        ('[feedback.lab2]\nshow = "none"\n', "lab1", "full"),
    ],
)
def test_the_course_file_chooses(tmp_path, text, lab, level):
    if text is not None:
        (tmp_path / "course.toml").write_text(text)
    assert disclosure.chosen(tmp_path, lab) == level
    assert disclosure.chosen(tmp_path, lab, "none") == "none", "what is asked for goes before the file"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[feedback\n", "cannot be read"),
        ("feedback = 'full'\n", "write a table"),
        ("[feedback]\nshow = 'ful'\n", "'ful'; choose one of full, actual, none"),
        ("[feedback]\nshow = true\n", "True; choose one of"),
        ("[feedback]\nhide = 'all'\n", "hide"),
        ("[feedback.lab1]\nlevel = 'none'\n", "lab1"),
        ("[feedback.lab1]\nshow = ['none']\n", "choose one of"),
    ],
)
def test_a_wrong_course_file_is_named(tmp_path, text, why):
    (tmp_path / "course.toml").write_text(text)
    with pytest.raises(CourseError, match=why) as told:
        disclosure.chosen(tmp_path, "lab1")
    assert "course.toml" in str(told.value)


@pytest.fixture(scope="module")
def one(tmp_path_factory, few_tasks):
    """A course in which one student with a misconception was graded; nothing has been told yet."""
    from llmlab.grading.places import desk
    from tests.grading import lab_text

    where = lab_text.released_course(tmp_path_factory.mktemp("disclosure") / "course")
    at = desk("lab1", where)
    made = next(each for each in Maker(at, sample_class.SEED).all() if each.student == STUDENT)
    folder = at.inbox / STUDENT / "lab1"
    folder.mkdir(parents=True)
    for name, content in made.files.items():
        (folder / name).write_bytes(content)
    pipeline.grade("lab1", where)
    return at


def page(at):
    return (at.feedback(STUDENT) / "lab1.html").read_text(encoding="utf-8")


def lost(at):
    """The failed groups in the ledger."""
    cells = Ledger(at.ledger).read(STUDENT, "verdicts")["cells"]
    found = [group for cell in cells.values() for group in cell["groups"] if group.get("show")]
    assert found and all(group["expected"] and group["got"] for group in found)
    return found


def seen(html):
    return " ".join(BeautifulSoup(html, "html.parser").get_text(" ").split())


def said(text):
    return " ".join(str(text).split())


def test_changing_the_level_rewrites_pages_and_grades_nothing(one):
    graded = one.autograded(STUDENT) / "lab1.ipynb"
    before = graded.read_bytes(), graded.stat().st_mtime_ns, Ledger(one.ledger).read(STUDENT, "verdicts")
    pages = {}
    for level in disclosure.LEVELS:
        feedback("lab1", one.course, level)
        pages[level] = seen(page(one))
    assert (
        graded.read_bytes(),
        graded.stat().st_mtime_ns,
        Ledger(one.ledger).read(STUDENT, "verdicts"),
    ) == before
    for group in lost(one):
        assert said(group["show"]) in pages["full"] and said(group["expected"]) in pages["full"]
        assert said(group["got"]) in pages["actual"] and said(group["got"]) not in pages["none"]
        for level in ("actual", "none"):
            assert said(group["show"]) not in pages[level]
            assert f"expected {said(group['expected'])}" not in pages[level]
        assert said(group["message"]) in pages["full"] and said(group["message"]) not in pages["none"]
    points = [re.findall(r"[\d.]+ / [\d.]+", text)[:5] for text in pages.values()]
    assert points[0] == points[1] == points[2], "the points are the same at every level"
    assert all(
        said(group["show"]) in graded.read_text(encoding="utf-8").replace('\\"', '"') for group in lost(one)
    ), "the instructor still sees everything"


def test_the_course_file_is_the_level_when_none_is_asked_for(one):
    file = one.root / "course.toml"
    try:
        file.write_text('[feedback]\nshow = "full"\n[feedback.lab1]\nshow = "none"\n')
        feedback("lab1", one.course)
        own = page(one)
        assert not [group for group in lost(one) if said(group["message"]) in seen(own)]
        Nbgrader(one.root).generate_feedback("lab1", STUDENT)
        assert page(one) == own, "nbgrader's own command, and formgrader's button, keep to it"
        file.write_text('[feedback]\nshow = "ful"\n')
        with pytest.raises(CourseError, match="choose one of"):
            feedback("lab1", one.course)
    finally:
        file.unlink()
    feedback("lab1", one.course)
    assert said(lost(one)[0]["show"]) in seen(page(one))


def test_a_page_that_says_the_same_is_not_written_again(one):
    feedback("lab1", one.course)
    file = one.feedback(STUDENT) / "lab1.html"
    when = file.stat().st_mtime_ns
    feedback("lab1", one.course)
    assert file.stat().st_mtime_ns == when


def test_nothing_but_the_page_is_given_back(one):
    """nbgrader copies whatever lies beside the graded notebook: modules, timestamps, and what should not be
    there.
    """
    graded = one.autograded(STUDENT)
    (graded / "notes").mkdir()
    (graded / "notes" / "key.csv").write_text("secret")
    (graded / "evil.html").write_text("<script>alert(1)</script>")
    assert (graded / "decoding.py").is_file()
    for make in (
        lambda: feedback("lab1", one.course, "actual"),
        lambda: Nbgrader(one.root).generate_feedback("lab1", STUDENT),
    ):
        make()
        assert [path.name for path in one.feedback(STUDENT).rglob("*")] == ["lab1.html"]


def test_only_the_page_stays(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "lab1.html").write_text("x")
    (tmp_path / "lab1.html").write_text("page")
    (tmp_path / "away").symlink_to(tmp_path / "a")
    assert sorted(only_page(tmp_path, "lab1.html")) == ["a/b/lab1.html", "away"]
    assert [path.name for path in tmp_path.rglob("*")] == ["lab1.html"]
    assert only_page(tmp_path / "none", "lab1.html") == []


def test_the_page_shows_the_cells_outputs_and_trusts_none(one):
    """What a ledger or a graded notebook holds is cleaned again when the page is made."""
    file = one.autograded(STUDENT) / "lab1.ipynb"
    before = file.read_text(encoding="utf-8")
    notebook = json.loads(before)
    cell = next(
        cell
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and "nbgrader" not in cell["metadata"]
    )
    data = {
        "text/plain": "p",
        "text/html": "<b>kept</b><script>alert(1)</script><img src=https://evil.example/x>",
    }
    cell["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "</pre><script>alert(2)</script>"},
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["<img src=x onerror=alert(3)>"]},
        {"output_type": "display_data", "metadata": {}, "data": data},
        {
            "output_type": "display_data",
            "metadata": {"image/png": {"alt": '"><script>alert(4)</script>'}},
            "data": {"image/png": 'AA==" onerror="alert(5)'},
        },
        {"output_type": "display_data", "metadata": {}, "data": {"text/latex": "<script>alert(6)</script>"}},
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"image/svg+xml": "<svg onload=alert(7)>", "text/plain": "<svg onload=alert(8)>"},
        },
        {
            "output_type": "display_data",
            "metadata": {"llmlab": "note"},
            "data": {"text/plain": "<iframe src=x>"},
        },
    ]
    try:
        file.write_text(json.dumps(notebook), encoding="utf-8")
        feedback("lab1", one.course, "full")
        soup = BeautifulSoup(page(one), "html.parser")
    finally:
        file.write_text(before, encoding="utf-8")
    assert not soup.find_all(["script", "iframe", "svg", "object", "form"])
    assert not [tag for tag in soup.find_all(True) if any(name.startswith("on") for name in tag.attrs)]
    assert all(tag["src"].startswith("data:image/png;base64,") for tag in soup.find_all("img"))
    assert soup.find("b", string="kept") and "alert(2)" in soup.get_text()
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy and "script-src" not in policy and "unsafe-eval" not in policy


def test_a_page_that_cannot_be_made_keeps_no_other_back(one):
    """A second student, whose graded notebook somebody broke."""
    broken = one.autograded("aaa")
    broken.mkdir(parents=True)
    (broken / "lab1.ipynb").write_text("{}")
    Ledger(one.ledger).write("aaa", "verdicts", {"cells": {}})
    (one.feedback(STUDENT) / "lab1.html").unlink()
    try:
        with pytest.raises(CourseError, match="1 of 2 pages could not be written .aaa.") as told:
            feedback("lab1", one.course)
        assert STUDENT not in str(told.value) and page(one)
    finally:
        shutil.rmtree(broken)
        shutil.rmtree(one.ledger / "aaa")


def test_the_command_takes_the_level(one, monkeypatch):
    monkeypatch.chdir(one.course.root)
    app = typer.Typer()
    feedback_commands.register(app)
    app.command()(lambda: None)  # a second command, so that the first keeps its name
    done = CliRunner().invoke(app, ["feedback", "lab1", "--show", "none"])
    assert done.exit_code == 0, done.output
    assert said(lost(one)[0]["show"]) not in seen(page(one))
    wrong = CliRunner().invoke(app, ["feedback", "lab1", "--show", "some"])
    assert wrong.exit_code and "choose one of full, actual, none" in str(wrong.exception)
