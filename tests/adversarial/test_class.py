"""One class of attackers and a few honest students, graded in one run with nbgrader's gradebook and feedback: nobody
costs anybody else anything, and everybody gets exactly what is due.
"""

import csv
import json
import re

import pytest

from llmlab.grading import pipeline
from tests.adversarial import classroom, malformed
from tests.adversarial.test_malformed import NUMBERS


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    with classroom.quick():
        yield classroom.grade(tmp_path_factory.mktemp("class") / "course", malformed.CLASS, record=True)


@pytest.fixture(scope="module")
def scores(graded):
    return graded.scores()


@pytest.mark.parametrize("one", malformed.CLASS, ids=lambda one: one.name)
def test_everybody_gets_what_is_due(graded, scores, one):
    """In the ledger, in the gradebook and in the summary."""
    row = next(row for row in graded.summary.rows if row.student == one.name)
    points, numbers = graded.told(one)
    assert points == one.points, row.reason
    assert numbers == (NUMBERS if one.numbers else set()), row.reason
    cells = graded.ledger(one.name)["cells"]
    assert {name: cell["points"] for name, cell in cells.items()} == {name: scores[one.name][name] for name in cells}
    assert set(scores[one.name]) - set(cells) == {"written-loops", "written-choice"}
    assert row.reason and row.points == pytest.approx(sum(scores[one.name].values()))


def test_feedback_runs_nothing(graded):
    for one in malformed.CLASS:
        folder = graded.desk.feedback(one.name)
        page = (folder / "lab1.html").read_text(encoding="utf-8")
        assert not re.search(r"<script|<iframe|<[^>]*\son\w+\s*=|(href|src)=[\"']?\s*javascript:", page, re.IGNORECASE)
        assert "default-src 'none'" in page and sorted(path.name for path in folder.iterdir()) == ["lab1.html"]


def test_no_record_is_large(graded):
    """A flood, a long message or a huge name is cut before it is kept."""
    for path in graded.desk.ledger.rglob("*.json"):
        assert path.stat().st_size < 300_000, path
        json.loads(path.read_bytes())


def test_the_exported_grades_are_complete(graded, scores):
    pipeline.export("lab1", graded.desk.course)
    with (graded.desk.root / "grades.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["student_id"]: row for row in csv.DictReader(stream)}
    for one in malformed.CLASS:
        assert float(rows[one.name]["score"]) == pytest.approx(sum(scores[one.name].values()))


def test_grading_again_gives_the_same(graded, scores):
    def recorded():
        return {one.name: graded.ledger(one.name, "recorded") for one in malformed.CLASS}

    before = recorded()
    again = pipeline.grade("lab1", graded.desk.course, workers=1)
    assert again.examined == 0 and again.rows == graded.summary.rows
    assert graded.scores() == scores and recorded() == before
    assert again.recorded == 0
