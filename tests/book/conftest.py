"""What the tests of the book share: the extensions, a small book that is quick to build, and the real
one, built."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from filelock import FileLock
from rich.console import Console

from tests.book import mini
from tools.book import browser

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "book" / "_ext"))  # extensions import each other, as Sphinx lets them


def load(path: Path, name: str) -> ModuleType:
    """Import a file of book/ (it is no package) under a name of its own."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec and spec.loader, path
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def extension(name: str) -> Callable[[], ModuleType]:
    """A fixture that is the Sphinx extension book/_ext/<name>.py."""
    return pytest.fixture(scope="session", name=name)(
        lambda: load(ROOT / "book" / "_ext" / f"{name}.py", f"book_{name}")
    )


num = extension("num")
ledger = extension("ledger")
figures = extension("figures")
offline = extension("offline")
course_code = extension("course_code")
glossary_tips = extension("glossary_tips")


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    return load(ROOT / "book" / "build.py", "book_build")


Build = Callable[..., tuple[int, str]]
MiniBook = Callable[[dict[str, str]], tuple[Path, Build]]


@pytest.fixture
def mini_book(tmp_path: Path, builder: ModuleType) -> MiniBook:
    """make(files) -> (root, build): a book with our configuration and extensions and the given files;
    build(**options) -> (exit status, printed text)."""

    def make(files: dict[str, str]) -> tuple[Path, Build]:
        mini.make(tmp_path, files)

        def build(**options: Any) -> tuple[int, str]:
            text = io.StringIO()
            return builder.build(tmp_path, Console(file=text, width=200), **options), text.getvalue()

        return tmp_path, build

    return make


@pytest.fixture(scope="session")
def html(builder: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built book: LLMLAB_BOOK_HTML if set, else `_build/html`, brought up to date."""
    given = os.environ.get("LLMLAB_BOOK_HTML")
    if given:
        if not (Path(given) / "index.html").is_file():
            pytest.fail(f"LLMLAB_BOOK_HTML={given!r} holds no index.html; unset it or build the book there")
        return Path(given).resolve()
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "alone")
    folder = tmp_path_factory.getbasetemp()
    outcome = (folder if run == "alone" else folder.parent) / f"book-{run}.txt"
    with FileLock(outcome.with_suffix(".lock")):  # one build for all workers of this run
        if not outcome.exists():
            text = io.StringIO()
            status = builder.build(ROOT, Console(file=text, width=160), jobs=2)
            outcome.write_text("" if status == 0 else text.getvalue(), encoding="utf-8")
    if problem := outcome.read_text(encoding="utf-8"):
        pytest.fail(f"the book does not build:\n{problem}", pytrace=False)
    return ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def page() -> Iterator[object]:
    """A tab of headless Chromium without a network (tools/book/browser.py)."""
    if browser.executable() is None:
        pytest.skip("no Chromium to read the book with: install chromium (Debian: apt-get install chromium)")
    with browser.browser() as tab:
        yield tab
