"""The build itself, on books of one or two pages: a good one passes, and every kind of defect fails,
twice in a row."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from sphinx.errors import ConfigError

MiniBook = Callable[[dict[str, str]], tuple[Path, Callable[[], tuple[int, str]]]]
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
    page = f"""{HEADER}# A page

It is {{num}}`speed.rato` times. See {{ref}}`sec-nowhere`. {{figset}}`hot <playground: T=9>`

{PLOT.format(options="")}

```{{code-cell}} python
1 / 0
```

```{{ledger}} ledger/rows.yml
```

<img src="https://example.org/picture.png" alt="a picture from elsewhere">
"""
    rows = (
        "- {id: x-1, source: L, says: a, verdict: right, holds: b, section: sec-a, evidence: {}}\n"
        "- {id: x-2, source: L, says: a, verdict: right, holds: b, section: sec-a, "
        "evidence: {results: {speed.lost: c}, tests: ['tests/none.py::test_it'], cite: [nobody1900]}}\n"
    )
    root, build = mini_book(
        {
            "_toc.yml": TOC,
            "book/intro.md": page,
            "solutions/decoding.py": "",
            "results/speed.json": RESULTS,
            "book/ledger/rows.yml": rows,
        }
    )
    for attempt in ("clean", "again"):
        status, text = build()
        assert status == 1, (attempt, text)
        for message in (
            "no number 'speed.rato' in results/",
            "sec-nowhere",
            "this page has no figure 'playground'",
            "ZeroDivisionError",
            "1 chapter(s) failed to run",
            "has no alt text",
            "x-1: no evidence",
            "x-2: no number 'speed.lost'",
            "x-2: no test 'tests/none.py::test_it'",
            "x-2: no entry 'nobody1900'",
            "loads https://example.org/picture.png",
        ):
            assert message in text, (attempt, message, text)
        assert "jupyter_book/cli" not in text and "nbclient/client.py" not in text
        if (
            attempt == "clean"
        ):  # between the two, Jupyter Book's own incremental build, with the pages just made
            command = [
                sys.executable,
                "-c",
                "from jupyter_book.cli.main import main; main()",
                "build",
                str(root),
                "-W",
                "-n",
                "--keep-going",
            ]
            run = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
            assert run.returncode != 0 and "ZeroDivisionError" in run.stderr, run.stderr


def test_a_missing_solutions_folder_is_said(course_code: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="solutions, which does not exist. Build the book from the repository"
    ):
        course_code.set_environment(SimpleNamespace(srcdir=tmp_path))


def test_fingerprint_changes_with_content_and_name_only(builder: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = builder.fingerprint(tmp_path, ["*.py"])
    (tmp_path / "b.txt").write_text("not watched")
    assert builder.fingerprint(tmp_path, ["*.py"]) == first
    (tmp_path / "a.py").write_text("2")
    second = builder.fingerprint(tmp_path, ["*.py"])
    (tmp_path / "a.py").rename(tmp_path / "c.py")
    assert len({first, second, builder.fingerprint(tmp_path, ["*.py"])}) == 3


def test_a_changed_style_writes_every_page_again(builder: ModuleType, tmp_path: Path) -> None:
    """Sphinx alone would keep the old style sheet as long as no page changes."""
    style, doctrees = tmp_path / "book" / "_static" / "css" / "book.css", tmp_path / "_build" / ".doctrees"
    style.parent.mkdir(parents=True)
    style.write_text("p { color: red }")
    done = {**builder.forget_stale(tmp_path, tmp_path / "_build", {}), "ok": True}
    doctrees.mkdir(parents=True)
    builder.forget_stale(tmp_path, tmp_path / "_build", done)
    assert doctrees.is_dir()
    style.write_text("p { color: blue }")
    builder.forget_stale(tmp_path, tmp_path / "_build", done)
    assert not doctrees.exists()
