"""The built tree without a browser: links, anchors, alt texts, what pages would fetch, and the sections
others link to."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from bs4 import BeautifulSoup

from llmlab.checks import answers, registry
from tests.book import planted
from tools.book import spelling, tree
from tools.book.tree import Reader

SECTIONS = {
    "book/part1/start.html": ["sec-start"],
    "book/part1/logits.html": ["sec-logits"],
    "book/part1/sampling.html": ["sec-greedy", "sec-temperature", "sec-sampling"],
    "book/part1/truncation.html": ["sec-top-k", "sec-top-p", "sec-top-k-top-p", "sec-min-p"],
    "book/part1/generate.html": ["sec-generate", "sec-stop-words", "sec-left-padding"],
    "book/part1/beam.html": ["sec-beam-search", "sec-length-penalty"],
    "book/part1/penalties.html": [
        "sec-repetition-penalty",
        "sec-presence-frequency",
        "sec-no-repeat-ngram",
        "sec-tuning",
    ],
    "book/part1/hf-reading.html": ["sec-hf-reading"],
    "book/glossary.html": ["sec-glossary"],
    "book/ledger.html": ["sec-ledger"],
}
"""The anchors that other pages rely on; below come those that checks and questions send a student to."""
for _one in (*registry.tasks(), *answers.QUESTIONS):
    _page, _, _anchor = _one.read.partition("#")
    SECTIONS.setdefault(f"book/{_page}", []).append(_anchor)


@pytest.fixture(scope="module")
def pages(html: Path) -> dict[Path, Reader]:
    return tree.read(html)


def test_links_and_anchors_lead_somewhere(pages: dict[Path, Reader]) -> None:
    assert sum(len(page.references) for page in pages.values()) > 200
    assert tree.broken_references(pages) == []


def test_pictures_say_what_they_show(pages: dict[Path, Reader]) -> None:
    assert tree.mute_pictures(pages) == []


def test_no_page_is_heavy(pages: dict[Path, Reader], html: Path) -> None:
    assert tree.too_heavy(html, pages) == []


def test_words_are_spelt_right() -> None:
    assert spelling.misspelt([spelling.ROOT / place for place in spelling.PLACES]) == []


@pytest.mark.parametrize("plant", planted.TREE, ids=lambda plant: plant.fault.replace(" ", "-"))
def test_a_planted_fault_is_found(tmp_path: Path, plant: planted.Plant) -> None:
    assert plant.says in planted.tree_says(tmp_path, plant)


def test_a_good_tree_passes(tmp_path: Path) -> None:
    made = '<a href="#here">1</a><a href="https://x.org">2</a><img src="p.png" alt="A rising line">'
    assert planted.tree_says(tmp_path, planted.Plant("links", "none", made, "")) == ""


def test_no_page_fetches_anything_from_elsewhere(html: Path, offline: ModuleType) -> None:
    loads = {
        path.name: offline.remote_loads(path.read_text(encoding="utf-8")) for path in html.rglob("*.html")
    }
    assert {name: found for name, found in loads.items() if found} == {}


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_the_sections_that_checks_name_exist(pages: dict[Path, Reader], html: Path, name: str) -> None:
    assert set(SECTIONS[name]) <= pages[(html / name).resolve()].ids


def test_no_error_output_was_published(html: Path) -> None:
    assert not list((html / "reports").rglob("*"))
    for path in html.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if "Traceback (most recent call last)" in text and "expected-error" not in text:  # a docstring's example may have one
            shown = BeautifulSoup(text, "html.parser").select(".cell_output")
            assert not any("Traceback" in output.get_text() for output in shown), path.name
        assert 'class="system-message"' not in text and "problematic" not in text, path.name


def test_the_measured_numbers_show_their_origin(html: Path) -> None:
    text = (html / "book" / "ledger.html").read_text(encoding="utf-8")
    assert text.count('class="num"') == text.count('data-origin="Measured by') > 20
