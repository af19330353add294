"""The student's edition holds no solution; the instructor's holds every one, which shows that the search finds them.

The search is that of the student's wheel (llmlab/grading/leaks.py): syntax trees with blanked names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sphinx.errors import ConfigError

from llmlab import _finder
from llmlab.grading import leaks
from tests.book.small import build

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("penalties", "paged_cache")
"""Functions, and classes with private methods and helpers beside them."""


@pytest.fixture(scope="module")
def secrets() -> list[leaks.Answer]:
    files = sorted((ROOT / "solutions").glob("*.py"))
    return [answer for file in files for answer in leaks.answers_in(file.read_text(encoding="utf-8"), file.name)]


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a build imports into this process, and its choice of the code, are taken back."""
    monkeypatch.setattr(_finder, "_chosen", _finder._chosen)
    package = sys.modules["llmlab"]
    for module in _finder.LAB_MODULES:
        monkeypatch.delitem(sys.modules, f"llmlab.{module}", raising=False)
        monkeypatch.setattr(package, module, None, raising=False)
        monkeypatch.delattr(package, module)
    yield
    for module in _finder.LAB_MODULES:
        sys.modules.pop(f"llmlab.{module}", None)


def pages(folder: Path) -> Iterator[tuple[str, bytes]]:
    """(name, its blocks of code) of every page: the scan looks at nothing else, and reads them twenty times as fast."""
    for path in sorted(folder.rglob("*.html")):
        if "_static" not in path.relative_to(folder).parts:
            yield str(path.relative_to(folder)), b"\n".join(re.findall(rb"<pre\b.*?</pre>", path.read_bytes(), re.S))


def edition(root: Path, name: str) -> Path:
    """The API pages of some modules in this edition."""
    root.mkdir()
    for folder in ("llmlab", "solutions"):
        (root / folder).symlink_to(ROOT / folder)
    files = {
        f"book/reference/api/{module}.md": (ROOT / f"book/reference/api/{module}.md").read_text(encoding="utf-8")
        for module in MODULES
    }
    listed = "\n".join(f"book/reference/api/{module}" for module in MODULES)
    files["index.md"] = f"# API\n\n```{{toctree}}\n{listed}\n```\n"
    out, said = build(
        root,
        files,
        ["sphinx_design", "i18n", "api"],
        llmlab_edition=name,
        exclude_patterns=["out*", "llmlab", "solutions"],
    )
    lines = [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line]
    assert [
        line for line in lines if "undefined label" not in line and "cross-reference target not found" not in line
    ] == []
    return out


def test_the_students_pages_hold_no_answer(html: Path, secrets: list[leaks.Answer]) -> None:
    found = leaks.scan(pages(html), secrets)
    assert found == [], "\n".join(map(str, found))


def test_the_instructors_pages_hold_every_answer_and_the_students_none(
    tmp_path: Path, secrets: list[leaks.Answer], imports: None
) -> None:
    shown = {leak.what for leak in leaks.scan(pages(edition(tmp_path / "instructor", "instructor")), secrets)}
    wanted = {f"the answer of {answer.origin}" for answer in secrets if answer.origin.partition(".")[0] in MODULES}
    assert len(wanted) > 10 and wanted <= shown, sorted(wanted - shown)
    assert leaks.scan(pages(edition(tmp_path / "student", "student")), secrets) == []


def test_an_answer_planted_into_a_students_page_is_found(tmp_path: Path, secrets: list[leaks.Answer]) -> None:
    """In a cell, as MyST-NB writes it, and under other names."""
    source = (ROOT / "solutions" / "decoding.py").read_text(encoding="utf-8")
    body = source.partition("def top_p(")[2].partition("### BEGIN SOLUTION\n")[2].partition("    ### END")[0]
    code = "def nucleus(z, mass):\n" + body.replace("logits", "z").replace("p <= 1", "mass <= 1")
    shown = code.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    (tmp_path / "a.html").write_text(
        f'<div class="highlight"><pre><span class="k">{shown}</span></pre></div>', encoding="utf-8"
    )
    assert len(body.splitlines()) > 2
    assert [leak.file for leak in leaks.scan(pages(tmp_path), secrets)] == ["a.html"]


def test_a_misspelt_edition_is_refused(tmp_path: Path, imports: None) -> None:
    with pytest.raises(ConfigError, match="'instructors' is not one of student, instructor"):
        build(tmp_path, {"index.md": "# A\n"}, ["i18n", "api"], llmlab_edition="instructors")
