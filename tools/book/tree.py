"""Gates over a built tree without a browser: links and anchors, alt texts, what a page would fetch, its weight.

Every function takes the pages of `read` and returns the faults as sentences. tests/book/test_pages.py asks them of the
book.
"""

from __future__ import annotations

import re
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path

HEAVIEST = 0.8e6
"""Bytes that one page may have to itself: its HTML, pictures and figure scripts, without what all pages share."""
SHARED = re.compile(r"(?:^|/)(?:_static/(?!figures/)|mathjax/|tippy/[^/]*\.min\.js)")
"""What a browser fetches once for all pages: the theme, the fonts, MathJax, tippy's own code."""


class Reader(HTMLParser):
    """Collects the anchors, references and pictures of one page; `loads` are those that a browser fetches by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.references: list[str] = []
        self.loads: list[str] = []
        self.pictures: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = dict(attrs)
        self.ids.update(v for k, v in attrs if k in ("id", "name") and v)
        self.references += [a[k] for k in ("href", "src", "data") if a.get(k)]
        fetched = tag in ("img", "script", "source", "iframe") or (tag == "link" and a.get("rel") == "stylesheet")
        self.loads += [a[k] for k in ("src", "href") if fetched and a.get(k)]
        if tag == "img" and a.get("role") != "presentation":
            self.pictures.append((a.get("src") or "", a.get("alt")))


def read(root: Path) -> dict[Path, Reader]:
    """All pages below `root`, Sphinx's static files left out."""
    return {
        path: Reader(path.read_text(encoding="utf-8"))
        for path in sorted(root.resolve().rglob("*.html"))
        if "_static" not in path.relative_to(root.resolve()).parts
    }


def target(path: Path, reference: str) -> tuple[Path, str] | None:
    """The file and the anchor that a reference of a page means; None if it leads outside."""
    parts = urllib.parse.urlsplit(reference)
    if parts.scheme or parts.netloc:
        return None
    file = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
    return file, urllib.parse.unquote(parts.fragment)


def broken_references(pages: dict[Path, Reader]) -> list[str]:
    """Internal links to a file or an anchor that is not there."""
    found = []
    for path, page in pages.items():
        for reference in page.references:
            meant = target(path, reference)
            if meant is None:
                continue
            file, anchor = meant
            if not file.is_file():
                found.append(f"{path.name}: no file {reference}")
            elif anchor and file.suffix == ".html" and file in pages and anchor not in pages[file].ids:
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


def weights(root: Path, pages: dict[Path, Reader]) -> dict[str, dict[str, int]]:
    """Bytes per page and kind: html, images, css, js of its own, and `shared`, what it loads with all others."""
    made = {}
    for path, page in pages.items():
        sizes = {"html": path.stat().st_size, "images": 0, "css": 0, "js": 0, "shared": 0}
        for file in {meant[0] for one in page.loads if (meant := target(path, one)) and meant[0].is_file()}:
            kind = {".css": "css", ".js": "js"}.get(file.suffix, "images")
            sizes["shared" if SHARED.search(file.as_posix()) else kind] += file.stat().st_size
        made[path.relative_to(root.resolve()).as_posix()] = sizes
    return made


def own(sizes: dict[str, int]) -> int:
    """What one page weighs without what it shares.

    >>> own({"html": 1, "images": 2, "css": 3, "js": 4, "shared": 99})
    10
    """
    return sum(size for kind, size in sizes.items() if kind != "shared")


def too_heavy(root: Path, pages: dict[Path, Reader], most: float = HEAVIEST) -> list[str]:
    """Pages above the budget."""
    return [
        f"{name}: {own(sizes) / 1e6:.2f} MB, and a page may have {most / 1e6:.1f}"
        for name, sizes in weights(root, pages).items()
        if own(sizes) > most
    ]
