"""Builds one variant in one format: what is out of date, the chapters ahead, Sphinx, and a word about how it went."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import yaml
from filelock import FileLock
from rich.console import Console
from rich.markup import escape

from tools.book import downloads, execute, progress, state
from tools.book.variant import LANGUAGES, Variant

ROOT = Path(__file__).resolve().parents[2]
INDEX = """<!DOCTYPE html>
<html lang="{lang}"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="refresh" content="0; url={page}.html"></head>
<body><main><h1>{title}</h1><p><a href="{page}.html">{page}.html</a></p></main></body></html>
"""
BUILDERS = {"html": "html", "epub": "epub", "pdf": "singlehtml"}


def environment(variant: Variant) -> dict[str, str]:
    return {
        **os.environ,
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "LLMLAB_EDITION": variant.edition,
        "LLMLAB_LANGUAGE": variant.language,
    }


def run(arguments: list[str], variant: Variant, console: Console, title: str) -> tuple[int, list[str], str]:
    """(exit status, lines of output, error text) of `python -m ...`, its progress shown. Ctrl-C ends it too."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment(variant),
        text=True,
        encoding="utf-8",
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    errors: list[str] = []
    reader = threading.Thread(target=errors.extend, args=(process.stderr,))
    reader.start()
    try:
        output = progress.follow(iter(process.stdout), console, title)
        status = process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    finally:
        reader.join()
    return status, output, "".join(errors)


def ahead(variant: Variant, console: Console, jobs: int) -> None:
    """Run the chapters whose outputs are not there, `jobs` at a time; forget outputs whose code changed."""
    record = variant.build / "book-runs.json"
    last = state.load(record)
    wanted, look, stale = execute.plan(variant, last)
    for page in stale:  # read again in every variant, with the new outputs
        for tree in variant.build.glob(f".doctrees-*/{page}.doctree"):
            tree.unlink()
    if len(look) > 1 or stale:  # a single new one is run by Sphinx
        names = [f"!{page}" if page in stale else page for page in look]
        command = ["tools.book.execute", str(variant.root), str(variant.cache), str(jobs), *names]
        status, output, errors = run(command, variant, console, "chapters")
        if status:
            console.print(progress.readable(errors), markup=False, highlight=False)
        for match in filter(None, map(progress.RAN.match, output)):
            wanted[match[1]]["seconds"] = float(match[2])
    state.save(record, {**last, **wanted})


def write_index(variant: Variant) -> None:
    """The page that leads to the first page, and the links to what else was built."""
    config = yaml.safe_load((variant.root / "_config.yml").read_text(encoding="utf-8"))
    lang = variant.language.replace("_", "-")
    text = INDEX.format(lang=lang, title=config["title"], page=variant.start)
    (variant.html / "index.html").write_text(text, encoding="utf-8")
    downloads.link(variant)


def say_failure(console: Console, errors: str, output: list[str], reports: int) -> None:
    """The messages of a failed run, and one line that sums them up."""
    text = progress.readable(errors or "".join(output[-15:]))
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    why = f"{reports} chapter(s) failed to run" if reports else "see the messages above"
    console.print(f"[red]The book was not built[/] ({why})", soft_wrap=True)


def build(variant: Variant, console: Console, target: str = "html", jobs: int = 1) -> int:
    """Build one variant in one format; 0 or 1. One at a time in a source tree."""
    variant.build.mkdir(exist_ok=True)
    with FileLock(variant.build / "book.lock"):
        return build_alone(variant, console, target, jobs)


def build_alone(variant: Variant, console: Console, target: str, jobs: int) -> int:
    """`build` without its lock."""
    start, builder = time.monotonic(), BUILDERS[target]
    record = variant.build / "book-state.json"
    ahead(variant, console, jobs)
    states = state.load(record)
    current = state.now(variant)
    last = states.get(variant.name, {})
    everything = state.forget_stale(variant, last, current)
    written = current["written"] if target == "html" else last.get("written", "")
    state.save(record, {**states, variant.name: {**current, "written": ""}})  # until it has ended

    out = variant.html if target == "html" else variant.home / builder / variant.language
    order = {"builder": builder, "out": out.as_posix(), "force": everything or target != "html"}
    order |= {"edition": variant.edition, "language": variant.language, "only": variant.only}
    title = " ".join([target, *([variant.language] if variant.language != LANGUAGES[0] else [])])
    status, output, errors = run(
        ["tools.book.render", str(variant.root), json.dumps(order)], variant, console, title
    )
    reports = len(list((out / "reports").rglob("*.err.log")))
    if status or reports:
        pages = state.blamed(progress.COLOUR.sub("", errors), variant.root)
        if pages is not None and status in (0, 1):  # the rest is good: only these pages are due again
            state.save(record, {**states, variant.name: {**current, "written": written, "blamed": pages}})
        say_failure(console, errors, output, reports)
        return 1
    if target == "html":
        write_index(variant)
        made = variant.html / "index.html"
    else:
        from tools.book import epub, pdf

        try:
            made = epub.finish(variant, out) if target == "epub" else pdf.finish(variant, out)
        except (epub.BrokenBook, pdf.CannotPrint) as problem:
            console.print(f"[red]The {target.upper()} was not made:[/]", escape(str(problem)), soft_wrap=True)
            return 1
        downloads.link(variant)
    state.save(record, {**states, variant.name: {**current, "written": written, "ok": True}})
    took = time.monotonic() - start
    name = "The book is built" if target == "html" else f"The {target.upper()} is built"
    if variant.language != LANGUAGES[0]:
        name += f" ({variant.language})"
    console.print(f"[green]{name}[/] in {took:.0f} s. Open {made.relative_to(variant.root)}", soft_wrap=True)
    return 0
