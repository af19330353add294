"""The lecture ledger: every claim of lecture 11 about decoding has a row, and every row has evidence that
exists."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEDGERS = sorted((ROOT / "book" / "ledger").glob("*.yml"))
GOOD = {
    "id": "x-1",
    "source": "s",
    "says": "a",
    "verdict": "right",
    "holds": "b",
    "section": "sec-a",
    "evidence": {"results": {"f.a": "what"}},
}


def test_part_six_holds_the_claims_one_to_fifteen(ledger: ModuleType) -> None:
    rows = ledger.read(ROOT / "book" / "ledger" / "part6.yml")
    assert [row["id"] for row in rows] == [f"0-{n:02}" for n in range(1, 16)]


@pytest.mark.parametrize("path", LEDGERS, ids=lambda p: p.stem)
def test_every_row_has_evidence_that_exists(ledger: ModuleType, num: ModuleType, path: Path) -> None:
    numbers, _ = num.load_results(ROOT / "results")
    cited = ledger.bibliography([ROOT / "book" / "references.bib"])
    assert ledger.problems(ledger.read(path), set(numbers), cited, ROOT) == []


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
    ],
)
def test_each_defect_of_a_row_is_named(ledger: ModuleType, change: dict[str, object], message: str) -> None:
    assert ledger.problems([GOOD], {"f.a"}, set(), ROOT) == []
    assert ledger.problems([{**GOOD, **change}], {"f.a"}, set(), ROOT) == [message]


def test_an_id_is_used_once(ledger: ModuleType) -> None:
    assert ledger.problems([GOOD, GOOD], {"f.a"}, set(), ROOT) == ["x-1: the id is used 2 times"]


def test_a_test_is_found_by_file_and_name(ledger: ModuleType) -> None:
    assert ledger.test_exists(ROOT, "tests/book/test_ledger.py::test_an_id_is_used_once")
    assert not ledger.test_exists(ROOT, "tests/book/test_ledger.py")
    assert not ledger.test_exists(ROOT, "tests/book/no_such_file.py::test_an_id_is_used_once")


def test_every_entry_of_the_bibliography_says_where_to_find_it() -> None:
    entries = re.split(r"^@", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), flags=re.M)[1:]
    assert len(entries) >= 10
    for entry in entries:
        assert re.search(r"\b(doi|url) = \{", entry), entry.splitlines()[0]
        assert re.search(r"\byear = \{(19|20)\d\d\}", entry), entry.splitlines()[0]
