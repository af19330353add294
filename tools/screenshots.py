"""Pictures of pages in each mode, to look at:  python tools/screenshots.py [--to FOLDER] [PAGE...]

Without pages: ten that show everything the book has. Each is taken light, dark and 375 pixels wide, from top to bottom,
from _build/html. It judges nothing: the gates do what a program can, this is for eyes. Nothing of it is committed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tools.book import browser  # noqa: E402

TEN = (
    "book/intro",
    "book/map",
    "book/part1/sampling",
    "book/part1/beam",
    "book/part2/roofline",
    "book/part3/paged-cache",
    "book/part4/speculative",
    "book/part4/quantization",
    "book/ledger",
    "book/glossary",
)
MODES = {"light": {"width": 1200}, "dark": {"width": 1200, "dark": True}, "phone": {"width": 375, "height": 800}}
TALLEST = 9000
"""Pixels of a picture from the top; longer pages are cut."""


def take(tab: browser.Page, html: Path, page: str, to: Path) -> list[Path]:
    """The pictures of one page."""
    made = []
    for mode, how in MODES.items():
        tab.open(html / f"{page}.html", **how)
        height = min(TALLEST, int(tab.evaluate("document.documentElement.scrollHeight")))
        tab.open(html / f"{page}.html", **{**how, "height": height})
        out = to / f"{page.removeprefix('book/').replace('/', '-')}-{mode}.png"
        tab.screenshot(out)
        made.append(out)
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pages", nargs="*", default=TEN, help="names such as book/part1/logits")
    parser.add_argument("--html", type=Path, default=ROOT / "_build" / "html", help="the built pages")
    parser.add_argument("--to", type=Path, default=ROOT / "_build" / "screenshots", help="where the pictures go")
    options = parser.parse_args()
    absent = [page for page in options.pages if not (options.html / f"{page}.html").is_file()]
    if absent:
        print(f"not built: {', '.join(absent)}; run `make book` first", file=sys.stderr)
        return 1
    options.to.mkdir(parents=True, exist_ok=True)
    with browser.browser() as tab:
        for page in options.pages:
            for path in take(tab, options.html, page, options.to):
                print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
