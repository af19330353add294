"""The book as one PDF: Sphinx's single page, printed by Chromium from file:// with the network off.

Chromium waits for the formulas, opens every answer that a click would open, draws the figures in their first state, and
writes bookmarks from the headings and page numbers at the foot. The look on paper is in book/_static/css/print.css.
"""

from __future__ import annotations

import base64
from pathlib import Path

from tools.book import browser, downloads
from tools.book.variant import Variant

PREPARE = """
document.documentElement.dataset.theme = document.documentElement.dataset.mode = "light";
document.querySelectorAll("details").forEach((d) => { d.open = true; });
document.querySelectorAll(".toggle-hidden").forEach((e) => e.classList.remove("toggle-hidden"));
document.querySelectorAll("img[loading]").forEach((i) => i.removeAttribute("loading"));
"""
FOOTER = (
    '<div style="width:100%;text-align:center;font:8px sans-serif;color:#555">'
    '<span class="pageNumber"></span></div>'
)
PAPER = {"paperWidth": 8.27, "paperHeight": 11.69, "marginTop": 0.7, "marginBottom": 0.75, "marginLeft": 0.75}


class CannotPrint(RuntimeError):
    """The page cannot become a PDF; the text says why."""


def print_page(page: Path, out: Path) -> None:
    """Print a file with formulas, bookmarks and page numbers. CannotPrint names what the page lacks."""
    if browser.executable() is None:
        raise CannotPrint("a PDF is printed by Chromium: install it (Debian and Ubuntu: apt-get install chromium)")
    with browser.browser(timeout=240) as tab:
        tab.open(page, width=900, height=1200, seconds=240)
        tab.evaluate(PREPARE)
        tab.evaluate("Promise.all([...document.images].map((i) => i.decode().catch(() => 0))).then(() => true)")
        if tab.remote or tab.errors:
            raise CannotPrint(f"{page.name} asked for {tab.remote} and reported {tab.errors}")
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
                    break


def finish(variant: Variant, folder: Path) -> Path:
    """Print what the singlehtml builder left in `folder`; the PDF's path."""
    pages = [page for page in folder.rglob("*.html") if "_static" not in page.parts and page.name != "index.html"]
    (whole,) = sorted(pages, key=lambda page: page.stat().st_size)[-1:] or [folder / "index.html"]
    out = downloads.folder(variant) / downloads.FORMATS["PDF"]
    print_page(whole, out)
    return out
