"""The build itself, on books of one or two pages: a good one passes, and every kind of defect fails,
twice in a row."""

from __future__ import annotations

import doctest
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from rich.console import Console
from sphinx.errors import ConfigError

from tests.book import planted
from tools.book import downloads, state, variant, watch
from tools.book.variant import Variant, with_pages

ROOT = Path(__file__).resolve().parents[2]
MiniBook = Callable[[dict[str, str]], tuple[Path, Callable[..., tuple[int, str]]]]
HEADER = (
    "---\njupytext: {text_representation: {extension: .md, format_name: myst}}\n"
    "kernelspec: {name: python3, display_name: Python 3}\n---\n"
)
TOC = "format: jb-book\nroot: book/intro\n"
RESULTS = json.dumps(
    {
        "origin": {"command": "python measure.py", "date": "2026-11-21", "machine": "2 cores"},
        "values": {"ratio": 3.1416},
    }
)
PLOT = """```{{code-cell}} python
{options}
import matplotlib.pyplot as plt
plt.plot([0, 1]);
```
"""
ALT = "---\nmystnb: {image: {alt: A straight line from the lower left to the upper right.}}\n---"
ANSWER = """```{code-cell} python
import os, pathlib
print("answer", pathlib.Path(os.environ["LLMLAB_CODE"], "decoding.py").read_text().strip())
```
"""


def test_a_good_book_builds_and_follows_the_code_below_it(mini_book: MiniBook) -> None:
    text = "# A page\n\nIt is {num}`speed.ratio:.1f` times.\n\n$x^2$\n\n"
    page = f"{HEADER}{text}{PLOT.format(options=ALT)}\n{ANSWER}"
    root, build = mini_book(
        {
            "_toc.yml": TOC,
            "book/intro.md": page,
            "solutions/decoding.py": "first\n",
            "results/speed.json": RESULTS,
        }
    )
    status, text = build()
    assert status == 0, text
    assert "ran in" in text and "_build/html/index.html" in text
    built = (root / "_build/html/book/intro.html").read_text(encoding="utf-8")
    assert (
        'data-origin="Measured by “python measure.py” on 2026-11-21, 2 cores" ' in built
        and ">3.1</span>" in built
    )
    assert 'alt="A straight line' in built and "answer first" in built
    assert "unpkg.com" not in built and "cdn.jsdelivr" not in built
    used = json.loads((root / "_build/num_used.json").read_text(encoding="utf-8"))
    assert used == {"speed.ratio": ["book/intro"]}

    (root / "solutions/decoding.py").write_text("second\n")
    status, text = build()
    assert status == 0, text
    assert "answer second" in (root / "_build/html/book/intro.html").read_text(encoding="utf-8")


def test_every_defect_fails_the_build_and_fails_it_again(mini_book: MiniBook) -> None:
    root, build = mini_book(planted.faulty_book())
    for attempt in ("clean", "again"):
        status, text = build()
        assert status == 1, (attempt, text)
        assert "1 chapter(s) failed to run" in text
        for plant in planted.BUILD:
            assert plant.says in text, (attempt, plant.fault, text)
        assert "jupyter_book/cli" not in text and "nbclient/client.py" not in text
        if attempt == "clean":  # between the two, an incremental build that forgets nothing, with the pages just made
            order = {"builder": "html", "out": str(root / "_build/html"), "force": False, "only": []}
            command = [sys.executable, "-m", "tools.book.render", str(root), json.dumps(order)]
            run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
            assert run.returncode != 0 and "ZeroDivisionError" in run.stderr, run.stderr


def test_chapters_run_ahead_and_only_those_whose_code_changed_run_again(mini_book: MiniBook) -> None:
    def chapter(module: str) -> str:
        return f"{HEADER}# About {module}\n\n{ANSWER.replace('decoding', module)}"

    files = {"_toc.yml": f"{TOC}chapters:\n- file: book/next\n"}
    files |= {"book/intro.md": chapter("decoding"), "book/next.md": chapter("kv_cache")}
    root, build = mini_book({**files, "solutions/decoding.py": "one\n", "solutions/kv_cache.py": "one\n"})
    status, text = build(jobs=2)
    assert status == 0 and re.search(r"next +ran in +[\d.]+ s", text) and "2 of 2" in text, text
    first, second = (root / "_build/html/book" / name for name in ("intro.html", "next.html"))
    written = first.stat().st_mtime_ns, second.stat().st_mtime_ns

    status, text = build()
    assert status == 0 and "ran in" not in text, text
    assert (first.stat().st_mtime_ns, second.stat().st_mtime_ns) == written

    (root / "solutions/decoding.py").write_text("two\n")
    status, text = build()
    assert status == 0 and text.count("ran in") == 1 and re.search("intro +ran in", text), text
    assert "answer two" in first.read_text(encoding="utf-8")
    assert second.stat().st_mtime_ns == written[1]

    (root / "book/intro.md").write_text(files["book/intro.md"] + "\n{ref}`sec-none`\n")
    status, text = build()
    assert status == 1 and "sec-none" in text and "ran in" not in text, text
    status, text = build()  # only the page that failed is read again, and it fails again
    assert status == 1 and "sec-none" in text, text
    assert second.stat().st_mtime_ns == written[1]

    status, text = build(only=["next"])
    assert status == 0 and "_build/only/html/index.html" in text and "ran in" not in text, text
    assert "answer one" in (root / "_build/only/html/book/next.html").read_text(encoding="utf-8")


def test_a_missing_solutions_folder_is_said(course_code: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="solutions, which does not exist. Build the book from the repository"
    ):
        course_code.set_environment(SimpleNamespace(srcdir=tmp_path))


def test_fingerprint_changes_with_content_and_name_only(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = state.fingerprint(tmp_path, ["*.py"])
    (tmp_path / "b.txt").write_text("not watched")
    assert state.fingerprint(tmp_path, ["*.py"]) == first
    (tmp_path / "a.py").write_text("2")
    second = state.fingerprint(tmp_path, ["*.py"])
    (tmp_path / "a.py").rename(tmp_path / "c.py")
    assert len({first, second, state.fingerprint(tmp_path, ["*.py"])}) == 3


def test_what_a_change_makes_due(tmp_path: Path) -> None:
    """Sphinx alone would keep an old style sheet as long as no page changes, and pages of an old configuration."""
    book = Variant(tmp_path)
    style, config = tmp_path / "book/_static/css/book.css", tmp_path / "_config.yml"
    style.parent.mkdir(parents=True)
    style.write_text("p { color: red }")
    config.write_text("title: one")
    book.doctrees.mkdir(parents=True)
    done = {**state.now(book), "ok": True}
    assert not state.forget_stale(book, done, state.now(book)) and book.doctrees.is_dir()
    style.write_text("p { color: blue }")
    assert state.forget_stale(book, done, state.now(book)) and book.doctrees.is_dir(), "written again, not read"
    config.write_text("title: two")
    state.forget_stale(book, done, state.now(book))
    assert not book.doctrees.exists(), "read again"


def test_a_failure_is_blamed_on_its_pages_or_on_all(tmp_path: Path) -> None:
    named = f"{tmp_path}/book/a.md:3: WARNING: x\n{tmp_path}/book/b.md: ERROR: y\n"
    assert state.blamed(named, tmp_path) == ["book/a", "book/b"]
    assert state.blamed(named + "WARNING: the inventory is odd\n", tmp_path) is None
    assert state.blamed("Extension error: no such file\n", tmp_path) is None


def test_pages_are_chosen_by_name(tmp_path: Path) -> None:
    for name in ("part1/logits", "part1/beam", "part2/beam", "_ext/notes"):
        (tmp_path / "book" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "book" / f"{name}.md").write_text("# x")
    book = Variant(tmp_path)
    assert with_pages(book, ["logits", "book/part1/beam.md"]).only == ("book/part1/logits", "book/part1/beam")
    with pytest.raises(ValueError, match="no single page 'beam': it could be book/part1/beam, book/part2/beam"):
        with_pages(book, ["beam"])
    with pytest.raises(ValueError, match="no single page 'notes': pages are book/part1/beam"):
        with_pages(book, ["notes"])


def test_watching_builds_at_each_save_of_a_source(tmp_path: Path) -> None:
    built, text = [], io.StringIO()
    saved = ("book/a.md", "book/.a.md.swp", "book/_static/a.css")
    batches = [{(1, f"{tmp_path}/{name}")} for name in saved]
    watch.forever(tmp_path, Console(file=text), lambda: len(built.append(1) or built), batches)
    assert len(built) == 2 and "book/a.md changed" in text.getvalue()


def test_the_command_teaches_itself(builder: ModuleType) -> None:
    text = builder.parser().format_help()
    for word in ("--only", "--watch", "--edition", "zh_CN", "_build/instructor/html", "Ctrl-C"):
        assert word in text


@pytest.mark.parametrize("module", [variant, state, watch, downloads], ids=lambda module: module.__name__)
def test_the_examples_hold(module: ModuleType) -> None:
    done = doctest.testmod(module)
    assert done.attempted > 0 and done.failed == 0, done
