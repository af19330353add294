"""The ledger in a browser: the filter counts, hides, announces and can be sent on; without it all claims are there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOWN = "[...document.querySelectorAll('.ledger-row')].filter(row => row.checkVisibility()).map(row => row.id.slice(7))"
SAID = "document.querySelector('.ledger-filter output').value"


@pytest.fixture(scope="module")
def rows(ledger: ModuleType) -> list[dict[str, Any]]:
    return ledger.everything(ROOT / "book" / "ledger")


def choose(page: Any, name: str, value: str) -> None:
    """What a person does with a control: set it, and the browser tells the page."""
    page.evaluate(
        f"(() => {{ const control = document.querySelector('.ledger-filter').elements['{name}'];"
        f" control.value = '{value}';"
        " control.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def test_each_control_shows_what_it_says(html: Path, page: Any, rows: list[dict[str, Any]]) -> None:
    page.open(html / "book" / "ledger.html")
    assert len(page.evaluate(SHOWN)) == 170 and page.evaluate(SAID) == "170 of 170 claims shown."
    for name, key in (("verdict", "verdict"), ("lecture", "source"), ("subject", "part")):
        for value, times in Counter(str(row[key]) for row in rows).items():
            choose(page, name, value)
            assert set(page.evaluate(SHOWN)) == {row["id"] for row in rows if str(row[key]) == value}, value
            assert page.evaluate(SAID) == f"{times} of 170 claims shown."
        choose(page, name, "")
    assert page.errors == [] and page.remote == []


def test_words_may_be_anywhere_in_a_claim_and_empty_subjects_go(html: Path, page: Any) -> None:
    page.open(html / "book" / "ledger.html")
    choose(page, "words", "penalty MULTIPLIES")
    assert page.evaluate(SHOWN) == ["0-10"]
    assert (
        page.evaluate(
            "[...document.querySelectorAll('section.ledger-subject')].filter(s => s.checkVisibility()).length"
        )
        == 1
    )
    assert (
        page.evaluate("[...document.querySelectorAll('.ledger-contents a')].filter(a => a.checkVisibility()).length")
        == 1
    )
    choose(page, "words", "zebra")
    assert page.evaluate(SHOWN) == [] and page.evaluate(SAID) == "0 of 170 claims shown."
    page.evaluate("document.querySelector('.ledger-filter button[type=reset]').click()")
    page.wait_for(f"{SAID} === '170 of 170 claims shown.'")


def test_the_choice_is_in_the_address_and_a_link_to_a_claim_shows_it(html: Path, page: Any) -> None:
    page.open(html / "book" / "ledger.html")
    choose(page, "verdict", "wrong")
    choose(page, "words", "beam & co")
    assert page.evaluate("location.hash") == "#verdict=wrong&words=beam+%26+co"
    page.open(html / "book" / "ledger.html", "?sent#verdict=wrong&subject=6")
    assert set(page.evaluate(SHOWN)) == {"0-10", "0-11"}
    page.evaluate("location.hash = 'ledger-0-01'")  # a hidden claim
    page.wait_for("document.getElementById('ledger-0-01').checkVisibility()")
    assert page.evaluate("location.hash") == "#ledger-0-01"
    page.open(html / "book" / "ledger.html", "?linked#ledger-2-72")
    assert len(page.evaluate(SHOWN)) == 170
    page.wait_for("Math.abs(document.getElementById('ledger-2-72').getBoundingClientRect().top) < 300")


def test_the_controls_are_native_named_and_in_order_of_the_keyboard(html: Path, page: Any) -> None:
    page.open(html / "book" / "ledger.html")
    order = (
        "[...document.querySelectorAll('.ledger-filter :is(select, input, button)')].map(c => [c.tagName, c.tabIndex, "
    )
    found = page.evaluate(
        order + "(c.labels && c.labels[0] ? c.labels[0].textContent : c.textContent).trim().split(/\\s/)[0]])"
    )
    assert found == [
        ["SELECT", 0, "Verdict"],
        ["SELECT", 0, "Subject"],
        ["SELECT", 0, "Lecture"],
        ["INPUT", 0, "Words"],
        ["BUTTON", 0, "Show"],
    ]
    assert page.evaluate("document.querySelector('.ledger-filter output').getAttribute('aria-live')") == "polite"


def test_a_phone_needs_no_sideways_scrolling(html: Path, page: Any) -> None:
    for name in ("ledger", "reference/evidence", "reference/commands", "reference/api/decoding"):
        page.open(html / "book" / f"{name}.html", width=375, height=800)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, name


def test_without_javascript_all_claims_are_there_and_each_links_to_itself(
    html: Path, rows: list[dict[str, Any]]
) -> None:
    text = (html / "book" / "ledger.html").read_text(encoding="utf-8")
    places = re.findall(
        r'<div class="ledger-row"[^>]*id="ledger-([\d-]+)"|id="ledger-([\d-]+)"[^>]*class="ledger-row"', text
    )
    assert {a or b for a, b in places} == {row["id"] for row in rows}
    hidden = [tag for tag in re.findall(r"<(?:div|section|form)[^>]*\bhidden\b[^>]*>", text) if "ledger" in tag]
    assert len(hidden) == 1 and "ledger-filter" in hidden[0]
    for row in rows:
        assert f'class="ledger-id reference internal" href="#ledger-{row["id"]}"' in text, row["id"]


def test_the_page_is_light(html: Path) -> None:
    """As many bytes as a photograph, and no picture: see also the weights in docs/book.md."""
    assert (html / "book" / "ledger.html").stat().st_size < 500_000
