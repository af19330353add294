"""The built tree without a browser: links, anchors, alt texts, what pages would fetch, and the sections
others link to."""

from __future__ import annotations

import urllib.parse
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from llmlab.checks import answers, registry

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


class Reader(HTMLParser):
    """Collects the anchors, the references and the pictures of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.references: list[str] = []
        self.pictures: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = dict(attrs)
        self.ids.update(v for k, v in attrs if k in ("id", "name") and v)
        self.references += [a[k] for k in ("href", "src", "data") if a.get(k)]
        if tag == "img" and a.get("role") != "presentation":
            self.pictures.append((a.get("src") or "", a.get("alt")))


def read_tree(root: Path) -> dict[Path, Reader]:
    """All pages below `root`, Sphinx's static files left out."""
    return {
        path: Reader(path.read_text(encoding="utf-8"))
        for path in sorted(root.resolve().rglob("*.html"))
        if "_static" not in path.relative_to(root.resolve()).parts
    }


def broken_references(pages: dict[Path, Reader]) -> list[str]:
    """Internal links to a file or an anchor that is not there."""
    found = []
    for path, page in pages.items():
        for reference in page.references:
            parts = urllib.parse.urlsplit(reference)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                found.append(f"{path.name}: no file {reference}")
            elif (
                parts.fragment
                and target in pages
                and urllib.parse.unquote(parts.fragment) not in pages[target].ids
            ):
                found.append(f"{path.name}: no anchor {reference}")
    return sorted(set(found))


def mute_pictures(pages: dict[Path, Reader]) -> list[str]:
    """Pictures whose alt text is missing, or is Sphinx's stand-in, the file name."""
    return [
        f"{path.name}: {src} has alt={alt!r}"
        for path, page in pages.items()
        for src, alt in page.pictures
        if alt is None or alt.startswith("_images/") or (alt and len(alt.split()) < 2)
    ]


@pytest.fixture(scope="module")
def pages(html: Path) -> dict[Path, Reader]:
    return read_tree(html)


def test_links_and_anchors_lead_somewhere(pages: dict[Path, Reader]) -> None:
    assert sum(len(page.references) for page in pages.values()) > 200
    assert broken_references(pages) == []


def test_pictures_say_what_they_show(pages: dict[Path, Reader]) -> None:
    assert mute_pictures(pages) == []


def test_the_checkers_notice_defects(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<p id="here">x</p><a href="#here">1</a><a href="#there">2</a><a href="b.html">3</a><a href="https://x.org">4</a>'
        '<img src="p.png" alt="_images/0a1b.png"><img src="p.png" alt="A rising line"><img src="p.png">'
    )
    (tmp_path / "p.png").write_bytes(b"")
    pages = read_tree(tmp_path)
    assert broken_references(pages) == ["a.html: no anchor #there", "a.html: no file b.html"]
    assert mute_pictures(pages) == ["a.html: p.png has alt='_images/0a1b.png'", "a.html: p.png has alt=None"]


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
        assert "Traceback (most recent call last)" not in text or "expected-error" in text, path.name
        assert 'class="system-message"' not in text and "problematic" not in text, path.name


def test_the_measured_numbers_show_their_origin(html: Path) -> None:
    text = (html / "book" / "ledger.html").read_text(encoding="utf-8")
    assert text.count('class="num"') == text.count('data-origin="Measured by') > 20
