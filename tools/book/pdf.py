"""The book as one PDF: Sphinx's single page, printed by Chromium from file:// with the network off.

Chromium waits for the formulas, opens every answer that a click would open, draws the figures in their first state, and
writes bookmarks from the headings and page numbers at the foot. The look on paper is in book/_static/css/print.css.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from pypdf import PdfReader

from tools.book import browser, downloads
from tools.book.variant import Variant

PREPARE = """
document.documentElement.dataset.theme = document.documentElement.dataset.mode = "light";
document.querySelector("article h1")?.classList.add("first");
document.querySelectorAll("details").forEach((d) => { d.open = true; });
document.querySelectorAll(".toggle-hidden").forEach((e) => e.classList.remove("toggle-hidden"));
document.querySelectorAll("img[loading]").forEach((i) => i.removeAttribute("loading"));
"""
FOOTER = (
    '<div style="width:100%;text-align:center;font:8px sans-serif;color:#555">'
    '<span class="pageNumber"></span></div>'
)
DOCUMENT = re.compile(r'(?:href="#|id=")document-[^"]*"')
OTHERS = ("index.html", "whole.html")
PAPER = {"paperWidth": 8.27, "paperHeight": 11.69, "marginTop": 0.7, "marginBottom": 0.75, "marginLeft": 0.75}


class CannotPrint(RuntimeError):
    """The page cannot become a PDF; the text says why."""


def print_page(page: Path, out: Path) -> list[str]:
    """Print a file with formulas, bookmarks and page numbers; its chapters. CannotPrint names what the page lacks."""
    if browser.executable() is None:
        raise CannotPrint("a PDF is printed by Chromium: install it (Debian and Ubuntu: apt-get install chromium)")
    with browser.browser(timeout=240) as tab:
        tab.open(page, width=900, height=1200, seconds=240)
        tab.evaluate(PREPARE)
        tab.evaluate("Promise.all([...document.images].map((i) => i.decode().catch(() => 0))).then(() => true)")
        if tab.remote or tab.errors:
            raise CannotPrint(f"{page.name} asked for {tab.remote} and reported {tab.errors}")
        unset = "[...document.querySelectorAll('span.math, div.math')].filter((e) => !e.querySelector('mjx-container'))"
        if left := tab.evaluate(f"{unset}.map((e) => e.textContent)"):
            raise CannotPrint(f"formulas of {page.name} are not set: {left[:3]}")
        chapters = tab.evaluate("[...document.querySelectorAll('article h1')].map((h) => h.innerText)")
        printed = tab.call(
            "Page.printToPDF",
            **PAPER,
            marginRight=PAPER["marginLeft"],
            printBackground=True,
            displayHeaderFooter=True,
            headerTemplate="<span></span>",
            footerTemplate=FOOTER,
            generateDocumentOutline=True,
            generateTaggedPDF=True,
            transferMode="ReturnAsStream",
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("wb") as file:
            while True:
                part = tab.call("IO.read", handle=printed["stream"], size=1 << 20)
                file.write(base64.b64decode(part["data"]) if part.get("base64Encoded") else part["data"].encode())
                if part["eof"]:
                    return list(chapters)


def words(text: str) -> str:
    """Letters and digits of a heading, as they compare: a PDF has its own spaces, and link signs go.

    >>> words("1. Top-p (nucleus)  #")
    '1toppnucleus'
    """
    return re.sub(r"[\W_]+", "", text).lower()


def bookmarks(entries: list[Any]) -> list[str]:
    """The titles of a PDF's outline, those below others too."""
    return [one for entry in entries for one in (bookmarks(entry) if isinstance(entry, list) else [str(entry.title)])]


def problems(path: Path, chapters: list[str]) -> list[str]:
    """What a printed book lacks: pages, text that can be found, a bookmark for each chapter."""
    reader = PdfReader(path)
    pages = len(reader.pages)
    found = [] if pages else ["no page"]
    text = "\n".join(page.extract_text() for page in reader.pages)
    marked, whole = {words(title) for title in bookmarks(reader.outline)}, words(text)
    for chapter in chapters:
        if words(chapter) not in marked:
            found.append(f"no bookmark for {chapter!r}")
        if words(chapter) not in whole:
            found.append(f"the text of {chapter!r} cannot be found")
    return found


def finish(variant: Variant, folder: Path) -> Path:
    """Print what the singlehtml builder left in `folder`; the PDF's path."""
    pages = (page for page in folder.rglob("*.html") if page.parent.name != "_static" and page.name not in OTHERS)
    # Sphinx writes it where the start page is, with paths that are right one folder up; a slash in an id stops the
    # theme's script, which takes it for a selector.
    text = max(pages, key=lambda page: page.stat().st_size).read_text(encoding="utf-8")
    whole = folder / "whole.html"
    whole.write_text(DOCUMENT.sub(lambda match: match[0].replace("/", "-"), text), encoding="utf-8")
    out = downloads.folder(variant) / downloads.FORMATS["PDF"]
    if found := problems(out, print_page(whole, out)):
        out.unlink()
        raise CannotPrint("the PDF has faults:\n" + "\n".join(found[:20]))
    return out
