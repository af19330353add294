"""The instructor's page: its numbers are those of the gradebook, its text does no harm, it can be read."""

import csv
import json
import re
import shutil
import statistics
from datetime import UTC, datetime, timedelta

import pytest
from bs4 import BeautifulSoup

from llmlab.grading import class_figures, overview
from llmlab.grading.class_figures import Distribution, Figures, Late, Misconception, Question, distribution
from llmlab.grading.course import Course, CourseError
from llmlab.grading.ledger import Ledger
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.places import desk
from llmlab.grading.sample_students import ABSENT
from llmlab.grading.summary import Row
from tools.book.browser import browser, executable

BAD = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202e{{ 7 * 7 }}&amp;"


@pytest.fixture
def at(graded, tmp_path):
    """A copy of the graded sample class."""
    shutil.copytree(graded[0].course.root, tmp_path / "course", symlinks=True)
    return desk("lab1", Course(tmp_path / "course"))


def read(file):
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


def found_in(at):
    with Nbgrader(at.root).gradebook() as gradebook:
        return class_figures.figures(at, gradebook, overview.summary.rows(at, Nbgrader(at.root)))


def test_the_numbers_are_those_of_the_exported_grades(at):
    """grades.csv was written by other code; median and histogram follow from it."""
    with (at.root / "grades.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["student_id"] not in ABSENT]
    totals = sorted(float(row["score"]) for row in rows)
    found = found_in(at)
    assert found.distribution.count == len(totals) == sum(one.count for one in found.distribution.bins)
    for one in found.distribution.bins:
        last = one is found.distribution.bins[-1]
        inside = [one.low <= total < one.high or (last and total == one.high) for total in totals]
        assert one.count == sum(inside)
    assert found.distribution.quartiles[1] == statistics.median(totals)
    assert found.distribution.mean == pytest.approx(sum(totals) / len(totals))
    assert found.to_read == sum(int(row["to_read"]) for row in rows)
    page = read(overview.overview("lab1", at.course))
    told = {div.dt.get_text(): div.dd.get_text(" ", strip=True) for div in page.select(".facts div")}
    assert told["graded"] == str(len(totals)) and told["missing"] == str(len(ABSENT))
    assert told["median"].startswith(f"{statistics.median(totals):g}")


def test_every_question_counts_every_submission(at):
    found = found_in(at)
    with Nbgrader(at.root).gradebook() as gradebook:
        grades = [
            (grade.name, grade.score, grade.max_score, grade.needs_manual_grade)
            for one in gradebook.assignment_submissions("lab1")
            for book in one.notebooks
            for grade in book.grades
        ]
    assert {one.name for one in found.questions} == {name for name, *_ in grades}
    for one in found.questions:
        mine = [told for told in grades if told[0] == one.name]
        assert one.waiting == sum(waits for *_, waits in mine) and one.count == len(mine)
        assert one.full == sum(score == most for _, score, most, waits in mine if not waits)
        assert one.none == sum(score == 0 for _, score, _, waits in mine if not waits)
    shares = [(one.part / 2 + one.none) / one.count for one in found.questions]
    assert shares == sorted(shares, reverse=True)


def test_misconceptions_are_those_of_the_mutants(at):
    """Every recognised name is in the ledger as often as the page says, and leads to the section."""
    found = {(one.name, one.task): one for one in found_in(at).misconceptions}
    assert len(found) >= 6
    ledger = Ledger(at.ledger)
    texts = {name: json.dumps(ledger.read(name, "verdicts")) for name in ledger.students()}
    for (name, task), one in found.items():
        holders = [text for text in texts.values() if f'"misconception": "{name}"' in text]
        assert 1 <= one.count <= len(holders), (name, task)
        assert one.read.startswith("part1/") and one.message
        assert name not in ("timeout", "crashed", "not-written") and "first difference" not in one.message
    page = read(overview.overview("lab1", at.course))
    links = {link["href"] for link in page.select(".known a")}
    assert {f"../../_build/html/{one.read}" for one in found.values()} == links


def test_who_is_missing_and_who_needs_a_look(at):
    found = found_in(at)
    assert tuple(row.student for row in found.missing) == ABSENT
    assert set(found.flags) == {"endless-loop", "process-exit", "syntax-error", "notebook-unreadable"}
    assert found.flags["endless-loop"] == ["decoding.min_p: time ran out"]
    assert "not JSON" in found.flags["notebook-unreadable"][0]
    assert "SyntaxError" in found.flags["syntax-error"][0] and len(found.flags["syntax-error"]) == 1
    page = read(overview.overview("lab1", at.course))
    links = {link.get_text(): link["href"] for link in page.select("a[href^='../feedback/']")}
    assert set(links) == set(found.flags)
    for href in links.values():
        assert (at.root / "overview" / href).is_file()


def test_a_defect_of_a_check_memory_similarity_and_quarantine_are_flagged(at):
    ledger = Ledger(at.ledger)
    told = ledger.read("perfect", "verdicts")
    told["cells"]["decoding-greedy"]["groups"][0]["misconception"] = "check-failed"
    told["cells"]["decoding-top_p"]["status"] = "memory"
    ledger.write("perfect", "verdicts", told)
    pair = {"a": "perfect", "b": "untouched", "module": "decoding", "share": 0.75, "why": "alike " + BAD}
    (at.ledger / "similarity.json").write_text(json.dumps({"pairs": [pair]}))
    kept = at.root / "quarantine" / "lab1" / "x-1"
    kept.mkdir(parents=True)
    (kept / "report.json").write_text(json.dumps({"from": "a.zip", "reason": "a bomb"}))
    found = found_in(at)
    assert found.flags["perfect"] == [
        "decoding.greedy: the check itself failed: look at it",
        "decoding.top_p: memory ran out",
    ]
    assert found.quarantined == [("a.zip", "a bomb")] and found.pairs[0]["share"] == 0.75
    text = read(overview.overview("lab1", at.course)).get_text(" ")
    assert "perfect and untouched" in text and "75 %" in text and "a bomb" in text
    (at.ledger / "similarity.json").write_text('{"pairs": [{"a": 1}]}')
    (kept / "report.json").write_text("half")
    again = found_in(at)
    assert again.pairs == [] and again.quarantined == [("x-1", "its report cannot be read")]


def test_who_is_late_by_the_dates_in_the_gradebook(at):
    with Nbgrader(at.root).gradebook() as gradebook:
        due = datetime(2026, 11, 20, 12, 0)
        gradebook.update_or_create_assignment("lab1", duedate=due)
        for student, hours in (("perfect", 25), ("untouched", -1), ("syntax-error", 5)):
            one = gradebook.find_submission("lab1", student)
            one.timestamp = due + timedelta(hours=hours)
        gradebook.find_submission("lab1", "syntax-error").extension = timedelta(hours=6)
        gradebook.find_submission("lab1", "perfect").notebooks[0].late_submission_penalty = 2.5
        gradebook.db.commit()
    assert found_in(at).late == [Late("perfect", "1 d 1 h", 2.5)]


def hostile():
    """Figures in which every text is an attack."""
    one = Question(BAD, BAD, 2.0, BAD, 1, 1, 1, 1)
    return Figures(
        distribution([1.0, 2.0], 2.0),
        [one],
        [Misconception(BAD, BAD, 3, BAD, BAD)],
        [Row(BAD, "missing", 0, 2, 0, BAD, BAD, BAD, BAD)],
        [Late(BAD, BAD, 1.0)],
        {BAD: [BAD] * 9},
        [{"a": BAD, "b": BAD, "module": BAD, "share": 0.9, "why": BAD}],
        [(BAD, BAD)],
        slowest=[(BAD, 1.0)],
    )


def test_no_text_can_run_or_reach_out(at, monkeypatch):
    monkeypatch.setenv("LLMLAB_BOOK_URL", '"><script>alert(2)</script>')
    made = overview.page(at, hostile(), 3, "postgresql://ada:secret@h/d")
    page = BeautifulSoup(made, "html.parser")
    assert not page.find_all(["script", "img", "iframe", "object", "form", "link", "base"])
    assert not [tag for tag in page.find_all(True) for name in tag.attrs if name.startswith("on")]
    assert "secret" not in made and "{{ 7 * 7 }}" in made and "49" not in page.get_text()
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'") and "script" not in policy
    assert "url(" not in made and "@import" not in made


def test_an_empty_class_and_one_student():
    assert distribution([], 40).quartiles is None
    one = distribution([7.0], 40)
    assert isinstance(one, Distribution) and one.quartiles == (7.0, 7.0, 7.0)
    assert sum(one.count for one in distribution([0.0] * 5, 0.0).bins) == 5


def test_nothing_graded_is_said(small):
    with pytest.raises(CourseError, match="Run `llmlab grade lab1` first"):
        overview.overview("lab1", small)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_have_the_contrast_of_wcag_aa(at):
    """Text 4.5 to 1, marks in charts 3 to 1, in both schemes."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    text = (at.root / "templates" / overview.TEMPLATE).read_text()
    roots = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    schemes = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", part)) for part in roots]
    assert len(schemes) == 2
    for scheme in schemes:
        for ground in ("page", "sheet"):
            for name in ("ink", "soft", "link"):
                assert contrast(scheme[name], scheme[ground]) >= 4.5, (name, ground)
            for name in ("full", "part", "none", "waiting"):
                assert contrast(scheme[name], scheme[ground]) >= 3, (name, ground)


def test_every_chart_has_its_numbers_as_text(at):
    page = read(overview.overview("lab1", at.course))
    bins = page.select("details table tbody tr")
    drawn = [div.get_text().strip() or "0" for div in page.select(".histogram div")]
    assert [row.select_one(".n").get_text() for row in bins] == drawn
    for chart in page.select(".histogram, .stack, .single, .box"):
        assert chart.get("aria-hidden") == "true"
    assert "table below" in page.select_one("[role=img]")["aria-label"]
    for row in page.select(".rows"):
        assert all(cell.get("scope") == "col" for cell in row.select("thead th"))


@pytest.mark.skipif(executable() is None, reason="no Chromium: `apt-get install chromium`, then run again")
def test_a_browser_shows_it_at_every_width(at):
    """Nothing is asked for, no error, nothing wider than the window; the attack does not run."""
    file = overview.overview("lab1", at.course)
    bad = file.with_name("bad.html")
    bad.write_text(overview.page(at, hostile(), 3, "sqlite:///x"), encoding="utf-8")
    with browser() as page:
        for path in (file, bad):
            for width, dark in ((1200, False), (375, False), (375, True)):
                page.open(path, width=width, dark=dark)
                assert page.errors == [] and page.remote == []
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                bars = "[...document.querySelectorAll('.histogram i')]"
                assert page.evaluate(f"Math.max(...{bars}.map(bar => bar.offsetHeight))") > 80
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(20, 24, 28)", "the dark scheme"


def test_the_command_prints_the_path(at, capsys):
    from llmlab.cli import regrading_commands

    assert regrading_commands.show("lab1", str(at.course.root)) == 0
    printed = capsys.readouterr().out.split()[-1]
    assert printed == str(at.root / "overview" / "lab1.html")
    assert datetime.now(UTC).strftime("%Y-%m-%d") in (at.root / "overview" / "lab1.html").read_text()
