"""The built book in Chromium, from file:// with the network off, as a reader uses it. What must hold on every page is in
test_gates.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("browser")


def test_the_start_page_leads_to_the_book(html: Path, page: Any) -> None:
    page.open(html / "index.html")
    page.wait_for("location.pathname.endsWith('/book/intro.html') && document.readyState === 'complete'")
    assert "llmlab" in page.evaluate("document.querySelector('h1').textContent")
    assert page.remote == []


@pytest.mark.parametrize("word", ["temperature", "softmax", "温度"])
def test_search_finds_words_offline(html: Path, page: Any, word: str) -> None:
    page.open(html / "search.html", query=f"?q={word}")
    page.wait_for("document.querySelectorAll('#search-results li a').length")
    links = page.evaluate(
        "[...document.querySelectorAll('#search-results li a')].map(a => a.getAttribute('href'))"
    )
    assert any("glossary" in link for link in links), links
    assert page.remote == []


def test_the_playground_answers_keyboard_and_buttons(html: Path, page: Any) -> None:
    page.open(html / "book" / "part1" / "sampling.html")
    page.wait_for("document.querySelector('.fig-sampling [role=status]').textContent")
    status = "document.querySelector('.fig-sampling [role=status]').textContent"
    before = page.evaluate(status)
    page.evaluate("document.querySelector('.fig-sampling input[name=T]').focus()")
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="Home", code="Home", windowsVirtualKeyCode=36)
    assert page.evaluate("document.querySelector('.fig-sampling input[name=T]').value") == "0"
    after = page.evaluate(status)
    assert after != before and after.startswith("1 of ") and "entropy 0.00" in after
    sums = page.evaluate(
        "[...document.querySelectorAll('.fig-sampling tbody td:nth-child(2)')]"
        ".reduce((s, c) => s + +c.textContent, 0)"
    )
    assert sums == pytest.approx(1, abs=0.02)
    page.evaluate("document.querySelector('.fig-sampling .reset').click()")
    assert page.evaluate(status) == before
    buttons = page.evaluate("document.querySelectorAll('button.fig-set').length")
    assert buttons > 0
    page.evaluate("document.querySelector('button.fig-set').click()")
    assert page.evaluate(status) != before


def test_a_number_shows_its_origin_on_focus(html: Path, page: Any) -> None:
    page.open(html / "book" / "ledger.html")
    page.evaluate("document.querySelector('.num').focus()")
    shown = page.evaluate("getComputedStyle(document.querySelector('.num'), '::after').content")
    assert "Measured by" in shown


def test_a_glossary_term_shows_its_entry(html: Path, page: Any) -> None:
    page.open(html / "book" / "part1" / "logits.html")
    page.wait_for("[...document.querySelectorAll('article.bd-article a')].some(a => a._tippy)")
    page.evaluate(
        "[...document.querySelectorAll('article.bd-article a')]"
        ".find(a => a._tippy && a.href.includes('#term-logits')).focus()"
    )
    page.wait_for("document.querySelector('.tippy-box')?.textContent.includes('未归一化分数')")
    assert "one per token of the vocabulary" in page.evaluate(
        "document.querySelector('.tippy-box').textContent"
    )
    assert page.errors == [] and page.remote == []
