"""The lecture ledger: every claim of the list has a row, and every verdict has evidence that exists."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.book.small import build

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "book" / "ledger"
LISTED = (FOLDER / "ids.txt").read_text(encoding="utf-8").split()
SUBJECTS = yaml.safe_load((FOLDER / "subjects.yml").read_text(encoding="utf-8"))
GOOD = {
    "id": "x-1",
    "source": "L11",
    "says": "a",
    "verdict": "right",
    "holds": "b",
    "section": "sec-a",
    "evidence": {"results": {"f.a": "what"}},
}
LATER = {"id": "x-2", "source": "PI", "says": "a", "verdict": "to come", "part": 6}


def test_the_list_has_all_claims_of_the_five_lectures() -> None:
    """The list was made once, by hand, from the lectures: 21, 13, 90, 11 and 35 claims, numbered without gaps."""
    assert len(LISTED) == len(set(LISTED)) == 170
    assert Counter(name[0] for name in LISTED) == {"0": 21, "1": 13, "2": 90, "3": 11, "4": 35}
    for lecture in "01234":
        numbers = sorted(int(name[2:]) for name in LISTED if name[0] == lecture)
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.fixture(scope="module")
def rows(ledger: ModuleType) -> list[dict[str, Any]]:
    """The rows of the book."""
    return ledger.everything(FOLDER)


def test_every_claim_has_a_row_and_every_verdict_evidence(
    ledger: ModuleType, num: ModuleType, rows: list[dict[str, Any]]
) -> None:
    numbers, _ = num.load_results(ROOT / "results")
    cited = ledger.bibliography([ROOT / "book" / "references.bib"])
    assert ledger.problems(rows, set(numbers), cited, ROOT) == []
    assert ledger.gaps(rows, LISTED, SUBJECTS) == []


def test_a_row_names_the_lecture_of_its_number(rows: list[dict[str, Any]]) -> None:
    lectures = {"0": "L11", "1": "PI", "2": "CH4", "3": "IB", "4": "CS10"}
    assert [row["id"] for row in rows if row["source"] != lectures[row["id"][0]]] == []


def test_claims_about_what_the_book_teaches_have_a_verdict(ledger: ModuleType, rows: list[dict[str, Any]]) -> None:
    """Only whole subjects are to come, and of serving what the chapters on memory do not reach."""
    shown = {row["part"] for row in rows if row["verdict"] != ledger.TO_COME}
    assert shown == {0, 6, 7, 8, 10, 11, 12}
    late = [row["id"] for row in rows if row["verdict"] == ledger.TO_COME and row["part"] in shown]
    assert late == ["1-09", "1-13", "4-33"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"evidence": {}}, "x-1: no evidence; name results, tests or cite"),
        ({"evidence": {"results": {}, "cite": []}}, "x-1: no evidence; name results, tests or cite"),
        ({"evidence": {"results": {"f.b": "what"}}}, "x-1: no number 'f.b' in results/"),
        ({"evidence": {"cite": ["nobody1900"]}}, "x-1: no entry 'nobody1900' in references.bib"),
        (
            {"evidence": {"tests": ["tests/book/test_ledger.py::test_nothing"]}},
            "x-1: no test 'tests/book/test_ledger.py::test_nothing'",
        ),
        ({"evidence": {"hearsay": ["x"], "results": {"f.a": "w"}}}, "x-1: unknown kind of evidence hearsay"),
        ({"holds": "it is {num}`f.c:.1f`"}, "x-1: the text quotes 'f.c', which its evidence does not name"),
        ({"verdict": "maybe"}, "x-1: verdict 'maybe' is not one of right, imprecise, depends, wrong"),
        ({"says": " "}, "x-1: the field says is missing"),
        ({"source": "S3"}, "x-1: source 'S3' is not one of L11, PI, CH4, IB, CS10"),
    ],
)
def test_each_defect_of_a_row_is_named(ledger: ModuleType, change: dict[str, object], message: str) -> None:
    assert ledger.problems([GOOD, LATER], {"f.a"}, set(), ROOT) == []
    assert ledger.problems([{**GOOD, **change}, LATER], {"f.a"}, set(), ROOT) == [message]


def test_a_row_to_come_must_not_say_more(ledger: ModuleType) -> None:
    wrong = [{**LATER, "holds": "b"}, {**LATER, "id": "x-3", "says": ""}]
    assert ledger.problems(wrong, set(), set(), ROOT) == [
        "x-2: a row to come has no holds; move it to the file of its part",
        "x-3: the field says is missing",
    ]


def test_gaps_are_named(ledger: ModuleType) -> None:
    rows = [{**GOOD, "part": 6}, {**LATER, "part": 77}]
    assert ledger.gaps(rows, ["x-1", "x-9"], SUBJECTS) == [
        "claim x-9 of ids.txt has no row",
        "row x-2 is not in ids.txt",
        "x-2: subjects.yml has no part 77",
    ]


def test_an_id_is_used_once(ledger: ModuleType) -> None:
    assert ledger.problems([GOOD, GOOD], {"f.a"}, set(), ROOT) == ["x-1: the id is used 2 times"]


def test_a_file_says_its_subject(ledger: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "part7_cache.yml").write_text("- {id: x-1}\n")
    (tmp_path / "subjects.yml").write_text("[]\n")
    assert ledger.everything(tmp_path) == [{"id": "x-1", "part": 7, "file": "part7_cache.yml"}]
    (tmp_path / "more.yml").write_text("[]\n")
    with pytest.raises(ValueError, match="more.yml is neither"):
        ledger.everything(tmp_path)


def test_a_test_is_found_by_file_and_name(ledger: ModuleType) -> None:
    assert ledger.test_exists(ROOT, "tests/book/test_ledger.py::test_an_id_is_used_once")
    assert not ledger.test_exists(ROOT, "tests/book/test_ledger.py")
    assert not ledger.test_exists(ROOT, "tests/book/no_such_file.py::test_an_id_is_used_once")


def test_anchors_of_evidence_do_not_collide(ledger: ModuleType, rows: list[dict[str, Any]]) -> None:
    evidence = [row["evidence"] for row in rows if "evidence" in row]
    keys = {key for shown in evidence for key in shown.get("results") or {}}
    tests = {test for shown in evidence for test in shown.get("tests") or []}
    assert len({ledger.anchor("number", key) for key in keys}) == len(keys) > 100
    assert len({ledger.anchor("test", test) for test in tests}) == len(tests) > 30


SMALL = {
    "index.md": "# Ledger\n\n(sec-a)=\n## A\n\n```{ledger}\n```\n\n## Shown\n\n```{evidence-numbers}\n```\n\n"
    "```{evidence-tests}\n```\n",
    "book/ledger/subjects.yml": "- {part: 6, title: Decoding}\n",
    "book/ledger/part6.yml": "- {id: x-1, source: L11, says: It is so, verdict: wrong, holds: 'It is {num}`f.a:.1f`', "
    "section: sec-a, evidence: {results: {f.a: what it is}, tests: ['tests/test_it.py::test_of_it']}}\n",
    "book/ledger/to_come.yml": "- {id: x-2, source: PI, says: It will be, part: 6}\n",
    "book/ledger/ids.txt": "x-1 x-2\n",
    "results/f.json": '{"origin": {"command": "make f", "date": "today", "machine": "mine"}, "values": {"a": 0.25}}',
    "refs.bib": "@misc{me2026, title = {It}, year = {2026}}\n",
    "tests/test_it.py": '"""About it."""\n\n\ndef test_of_it():\n    """It holds."""\n    secret = 1\n',
}


def small(folder: Path) -> str:
    out, said = build(
        folder, SMALL, ["sphinxcontrib.bibtex", "i18n", "num", "ledger", "evidence"], bibtex_bibfiles=["refs.bib"]
    )
    assert "WARNING" not in said and "ERROR" not in said, said
    return (out / "index.html").read_text(encoding="utf-8")


def test_a_page_shows_verdicts_evidence_and_what_is_to_come(tmp_path: Path) -> None:
    html = small(tmp_path)
    text = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", html))
    assert "2 claims: 1 wrong, 1 to come." in text
    row = html.partition('id="ledger-x-1"')[2].partition('id="ledger-x-2"')[0]
    assert 'data-verdict="wrong"' in html and 'href="#sec-a"' in row and "0.2<" in row
    assert 'href="#number-f-a"' in row and 'href="#test-tests-test-it-py-test-of-it"' in row
    assert "<details" in row and "<details" not in html.partition('id="ledger-x-2"')[2].partition("</section>")[0]
    shown = html.partition('id="results-f"')[2]
    assert 'id="number-f-a"' in shown and 'href="#ledger-x-1"' in shown
    assert "Written by make f on today, mine." in text and "0.25" in text
    assert "It holds." in text and "Run pytest tests/test_it.py::test_of_it ." in text
    assert "secret" not in html, "the code of a test is not for the page"


def test_without_a_script_everything_is_shown(tmp_path: Path) -> None:
    html = small(tmp_path)
    form = re.search(r"<form[^>]*>", html)
    assert form and " hidden" in form[0]
    assert " hidden" not in html.replace(form[0], "")
    inside = html.partition('<form class="ledger-filter')[2].partition("</form>")[0]
    assert inside.count("<label>") == inside.count("<select") + inside.count("<input") == 4


def test_every_entry_of_the_bibliography_says_where_to_find_it() -> None:
    entries = re.split(r"^@", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), flags=re.M)[1:]
    assert len(entries) >= 10
    for entry in entries:
        assert re.search(r"\b(doi|url) = \{", entry), entry.splitlines()[0]
        assert re.search(r"\byear = \{(19|20)\d\d\}", entry), entry.splitlines()[0]
