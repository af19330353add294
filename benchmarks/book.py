"""How long the book takes to build, and what its pages weigh:  python -m benchmarks.book [--formats]

Builds a copy of the sources in a temporary folder, as `python book/build.py` does: from nothing, again with nothing
changed, with one sentence of one chapter changed (the whole book, and that chapter alone), and with one of its cells
changed, so that it runs again. With --formats also the EPUB and the PDF. Writes results/book.json. Seconds are those
of a clock on the wall: measure on a machine that does nothing else. The weights are of the pages in all languages.
"""

from __future__ import annotations

import argparse
import io
import shutil
import statistics
import tempfile
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from rich.console import Console

from benchmarks.record import write
from tools.book import tree

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("book", "_config.yml", "_toc.yml")
CHAPTER = "part2/roofline"
JOBS = 2


def copy(folder: Path) -> None:
    """The sources that are changed are copied; what they need is linked."""
    for path in ROOT.iterdir():
        if path.name in COPIED:
            (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)
        elif path.name[0] not in "._" and path.name not in ("dist", "build"):
            (folder / path.name).symlink_to(path)


def timed(root: Path, **options: object) -> float:
    """Seconds of one build; SystemExit with its messages if it fails."""
    spec = spec_from_file_location("book_build", ROOT / "book" / "build.py")
    assert spec and spec.loader
    build = module_from_spec(spec)
    spec.loader.exec_module(build)
    text = io.StringIO()
    began = time.perf_counter()
    status = build.build(root, Console(file=text, width=120), jobs=JOBS, **options)
    took = time.perf_counter() - began
    print(text.getvalue(), f"{took:.1f} s", options)
    if status:
        raise SystemExit("the book does not build")
    return took


def add(path: Path, sentence: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + f"\n{sentence}\n", encoding="utf-8")


def weigh(html: Path) -> dict[str, float]:
    """Megabytes per page, of all pages' own, of what is shared, and of the folder."""
    sizes = tree.weights(html, tree.read(html))
    own = {name: tree.own(one) for name, one in sizes.items() if name != "index.html"}
    heaviest = max(own, key=own.__getitem__)
    return {
        "pages": len(own),
        "page_median_kb": statistics.median(own.values()) / 1e3,
        "page_heaviest_kb": own[heaviest] / 1e3,
        "page_heaviest": heaviest,
        "page_budget_kb": tree.HEAVIEST / 1e3,
        "shared_mb": max(one["shared"] for one in sizes.values()) / 1e6,
        "html_mb": sum(one["html"] for one in sizes.values()) / 1e6,
        "folder_mb": sum(path.stat().st_size for path in html.rglob("*") if path.is_file()) / 1e6,
    }


def main(formats: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        copy(root)
        chapter = root / "book" / f"{CHAPTER}.md"
        values: dict[str, float] = {"jobs": JOBS, "cold_seconds": timed(root), "nothing_changed_seconds": timed(root)}
        values |= {f"weight_{key}": value for key, value in weigh(root / "_build" / "html").items()}
        add(chapter, "One more sentence.")
        values["one_sentence_seconds"] = timed(root)
        values["only_one_chapter_first_seconds"] = timed(root, only=[CHAPTER])
        add(chapter, "And another one.")
        values["only_one_chapter_seconds"] = timed(root, only=[CHAPTER])
        text = chapter.read_text(encoding="utf-8")
        chapter.write_text(text.replace("```{code-cell} python\n", "```{code-cell} python\n0;\n", 1), encoding="utf-8")
        values["one_chapter_run_again_seconds"] = timed(root)
        if formats:
            values["epub_seconds"] = timed(root, formats=("epub",))
            values["pdf_seconds"] = timed(root, formats=("pdf",))
            made = root / "_build" / "html" / "downloads"
            values |= {f"{kind}_mb": (made / f"llmlab.{kind}").stat().st_size / 1e6 for kind in ("epub", "pdf")}
        write("book", "python -m benchmarks.book" + (" --formats" if formats else ""), values)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build a copy of the book in several states, on a clock: minutes.")
    parser.add_argument("--formats", action="store_true", help="also the EPUB and the PDF")
    main(parser.parse_args().formats)
