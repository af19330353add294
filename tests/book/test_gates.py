"""The gates in a browser: nothing is found on any page of the book in light, dark and phone width, and every planted
fault is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.book import planted
from tools.book import gates

Findings = tuple[list[gates.Finding], dict[str, Any]]
Faults = tuple[dict[str, planted.Plant], list[gates.Finding]]
GATES = ("axe", "dark", "console", "remote", "width", "math", "figure", "alt")


@pytest.fixture(scope="module")
def run() -> Any:
    """`gates.run`, or a skip that says what to install (CI refuses skips)."""
    try:
        gates.install()
    except gates.NotInstalled as problem:
        pytest.skip(str(problem))
    return gates.run


@pytest.fixture(scope="module")
def book(html: Path, run: Any) -> Findings:
    return run(html)


@pytest.fixture(scope="module")
def faults(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Faults:
    folder = tmp_path_factory.mktemp("planted")
    named = planted.plant(folder)
    return named, run(folder)[0]


@pytest.mark.parametrize("gate", GATES)
def test_the_book_passes(book: Findings, gate: str) -> None:
    found = [str(one) for one in book[0] if one.gate == gate]
    assert not found, "\n".join([f"{len(found)} findings", *found[:40]])


def test_the_gates_saw_the_book(book: Findings, html: Path) -> None:
    _, seen = book
    assert seen["pages"] == len(gates.pages_of(html)) > 30
    assert seen["formulas"] > 200 and seen["figures"] >= 5 and seen["pictures"] > 10


@pytest.mark.parametrize("number", range(len(planted.BROWSER)), ids=lambda n: planted.BROWSER[n].fault)
def test_a_planted_fault_is_found(faults: Faults, number: int) -> None:
    named, found = faults
    (name,) = [name for name, one in named.items() if one is planted.BROWSER[number]]
    wanted = named[name]
    said = [one for one in found if one.page == name]
    heard = [one for one in said if one.gate == wanted.gate and wanted.says in one.what]
    assert any(one.mode == (wanted.mode or one.mode) for one in heard), said


def test_a_good_page_passes(faults: Faults) -> None:
    assert [str(one) for one in faults[1] if one.page == "good.html"] == []


def test_every_gate_has_a_planted_fault() -> None:
    assert {one.gate for one in planted.BROWSER} == set(GATES)
