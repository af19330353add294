"""Work that came too late to count, two collections at once, and texts in Chinese encodings."""

import multiprocessing
from datetime import UTC, datetime, timedelta

import pytest

from llmlab.grading import attempts, collect, overview, summary
from llmlab.grading.course import CourseError
from llmlab.grading.ledger import REFUSED
from llmlab.grading.nbgrader_api import Nbgrader
from llmlab.grading.pipeline import grade
from llmlab.grading.untrusted import module_bytes, text_of

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_who_came_too_late_is_refused_everywhere_and_graded_once_extended(released):
    solved = (released.course.solutions / "decoding.py").read_bytes()
    attempts.add(released, "ada", {"decoding.py": solved}, NOON + timedelta(hours=1), attempts.LMS)
    attempts.add(released, "grace", {"decoding.py": solved}, NOON, attempts.LMS)
    file = released.root / "deadlines.toml"
    text = f'[lab1]\ndue = {NOON.isoformat()}\nlate = "refuse"\n'
    file.write_text(text, encoding="utf-8")
    found = grade("lab1", released.course, workers=1, display=False, unprotected=True)
    assert (found.row("ada").status, found.row("grace").status != REFUSED) == (REFUSED, True)
    rows = {row.student: row for row in summary.rows(released, Nbgrader(released.root))}
    assert "too late" in rows["ada"].reason and rows["ada"].status == REFUSED
    page = overview.overview("lab1", released.course).read_text(encoding="utf-8")
    row = page.split('<th scope="row">ada</th>', 1)[1].split("</tr>")[0]
    assert "handed in too late" in row and '<th scope="row">grace</th>' not in page.split("Nothing that counts", 1)[1]

    file.write_text(text + f"[lab1.students.ada]\ndue = {(NOON + timedelta(days=1)).isoformat()}\n", encoding="utf-8")
    found = grade("lab1", released.course, workers=1, display=False, unprotected=True)
    assert found.row("ada").status != REFUSED and found.row("ada").points == found.row("grace").points > 0


def hold(file, held, done):
    with collect.alone(file):
        held.set()
        done.wait(60)


def test_two_collections_at_once_do_not_meet(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    file = tmp_path / "ledger" / ".collecting"
    other = context.Process(target=hold, args=(file, held, done))
    other.start()
    try:
        assert held.wait(120)
        with pytest.raises(CourseError, match="Another `llmlab collect` is at work"), collect.alone(file):
            pass
    finally:
        other.kill()  # however it ends, its lock ends with it
        other.join()
    with collect.alone(file):
        pass


CHINESE = "# 温度采样：先除以温度，再取 softmax。\ndef f(概率):\n    return 概率\n"


@pytest.mark.parametrize("coding", ["gbk", "gb18030", "utf-8", "utf-16"])
def test_a_module_in_a_chinese_encoding_is_read(coding):
    raw, said = module_bytes(CHINESE.encode(coding))
    assert raw.decode("utf-8") == CHINESE
    assert ("GB 18030" in said) == (coding in ("gbk", "gb18030"))


@pytest.mark.parametrize(("text", "coding"), [
    ("naïve café, Gödel – “quoted” 5 €", "cp1252"), ("Größe, Übung, weiß, Straße, dürfen", "latin-1"),
    ("é", "latin-1"), ("àéèùçôîêâ", "latin-1"), ("ÄÖÜäöüß", "latin-1")])
def test_western_text_is_not_taken_for_chinese(text, coding):
    assert text_of(text.encode(coding))[0] == text
