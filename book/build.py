"""Builds the book:  python book/build.py [--help]

The work is in tools/book/: this file is the command. What it adds to `jupyter-book build . -W -n --keep-going`:
- chapters run several at a time, with a line for each as it ends, and again only when their cells or the code below
  them changed;
- a change of a style, a script, the configuration or an extension reaches every page;
- after a failed build, the pages that failed are read again, so the same error fails again instead of passing silently;
- any warning, any failed chapter, and a missing start page end with exit status 1 and the messages.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tools.book import site, watch  # noqa: E402  (the folder above must be on the path first)
from tools.book.variant import EDITIONS, LANGUAGES, Variant, languages, with_pages  # noqa: E402

FORMATS = ("html", "epub", "pdf")
GUIDE = """\
examples:
  python book/build.py                          the pages, in every language, into _build/html
  python book/build.py --only part1/logits      one chapter, quickly, into _build/only/html
  python book/build.py --only logits --watch    the same again at every save, until Ctrl-C
  python book/build.py --format all             the pages, an EPUB and a PDF, linked at the foot of each page
  python book/build.py --edition instructor     the instructors' book, with solutions, into _build/instructor/html
  python book/build.py --clean                  forget every page and every output first

Built twice, it does nothing the second time. Ctrl-C loses no chapter that has run: the same command goes on from there.
With --only, links to pages that are left out are not checked; everything else is.
"""


def parser() -> argparse.ArgumentParser:
    """The options. The environment (LLMLAB_EDITION, LLMLAB_LANGUAGE) gives their defaults."""
    made = argparse.ArgumentParser(
        prog="book/build.py",
        description="Build the book. Pages, EPUB and PDF read without a network.",
        epilog=GUIDE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    edition = os.environ.get("LLMLAB_EDITION", "student")
    made.add_argument("--edition", choices=EDITIONS, default=edition, help="for whom; without it: %(default)s")
    language = os.environ.get("LLMLAB_LANGUAGE", "all")
    made.add_argument(
        "--language", choices=(*LANGUAGES, "all"), default=language, help="without it: %(default)s (--only: en)"
    )
    made.add_argument("--format", choices=(*FORMATS, "all"), default="html", help="without it: %(default)s")
    made.add_argument("--only", nargs="+", metavar="PAGE", default=[], help="these pages, such as part2/roofline")
    made.add_argument("--watch", action="store_true", help="build again whenever a source is saved, until Ctrl-C")
    jobs = min(4, os.cpu_count() or 1)
    made.add_argument("--jobs", type=int, default=jobs, help="chapters that run at a time; without it: %(default)s")
    made.add_argument("--clean", action="store_true", help="forget all earlier pages and outputs first")
    return made


def forget(root: Path) -> None:
    """Remove everything that a build made."""
    out = root / "_build"
    for part in ("html", "epub", "singlehtml", "only", "instructor", "jupyter_execute", ".jupyter_cache"):
        shutil.rmtree(out / part, ignore_errors=True)
    for tree in out.glob(".doctrees*"):
        shutil.rmtree(tree, ignore_errors=True)
    for record in ("book-state.json", "book-runs.json"):
        (out / record).unlink(missing_ok=True)


def build(
    root: Path,
    console: Console,
    edition: str = "student",
    language: str = "all",
    formats: tuple[str, ...] = ("html",),
    only: list[str] | None = None,
    jobs: int = 1,
) -> int:
    """Build the book of `root` in these formats and languages; the first failure ends it. 0 or 1.

    EPUB and PDF are made in the book's first language only, unless another is named.
    """
    chosen = languages(root) if language == "all" else [language]
    if only and language == "all":
        chosen = chosen[:1]
    for target in formats:
        for one in chosen if target == "html" or language != "all" else chosen[:1]:
            variant = with_pages(Variant(root, edition, one), only or [])
            if status := site.build(variant, console, target, jobs):
                return status
    return 0


def main() -> int:
    options = parser().parse_args()
    console = Console()
    formats = FORMATS if options.format == "all" else (options.format,)
    if options.clean:
        forget(ROOT)

    def once() -> int:
        return build(ROOT, console, options.edition, options.language, formats, options.only, options.jobs)

    try:
        status = once()
        if options.watch:
            watch.forever(ROOT, console, once)
    except ValueError as problem:
        console.print(f"[red]{problem}[/]", soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console.print("Stopped. Chapters that have run are kept: the same command goes on from there.")
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
