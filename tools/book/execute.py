"""Runs chapters ahead of Sphinx, several at a time, and keeps their outputs where Sphinx looks for them.

    python -m tools.book.execute ROOT CACHE JOBS PAGE...      (started by `ahead`, in a process of its own)

Sphinx runs a chapter when it reads it, one after the other. Here the same cells run in the same kernels with the
same settings before that, JOBS at a time, and go into the same jupyter-cache. A chapter that fails is not kept: Sphinx
runs it again when it reads it, and tells what is wrong.

jupyter-cache compares the text of the cells only. What the cells run on is compared here: a chapter's outputs are
forgotten when the package, the models, the data or one of the lab modules that the chapter names changed (the checks too,
if it calls them).
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tools.book import state
from tools.book.variant import Variant

COMMON = (
    "llmlab/*.py",
    "llmlab/models/**/*",
    "llmlab/devices/**/*",
    "llmlab/figures/**/*",
    "book/_data/*",
    "constraints.txt",
)
"""What every chapter may run on or read."""
JUDGED = ("llmlab/checks/**/*.py", "llmlab/harness/**/*.py")
"""What a chapter runs on whose cells call the checks."""
CELL = re.compile(r"^(?:```|:::)\{code-cell\}", re.M)


def key(root: Path, text: str, common: str) -> str:
    """What the outputs of a chapter depend on: the common code, and the lab modules whose names are in its text."""
    modules = (root / "solutions").glob("*.py")
    named = [f"solutions/{path.name}" for path in modules if re.search(rf"\b{path.stem}\b", text)]
    if re.search(r"llmlab\.check\(|llmlab\.checks", text):
        named += JUDGED
    return hashlib.sha256(f"{common}\0{state.fingerprint(root, named)}".encode()).hexdigest()


def chapters(variant: Variant) -> dict[str, str]:
    """Page -> text of the variant's pages that have cells."""
    texts = {page: (variant.root / f"{page}.md").read_text(encoding="utf-8") for page in variant.pages()}
    return {page: text for page, text in texts.items() if CELL.search(text)}


def plan(variant: Variant, last: dict[str, Any]) -> tuple[dict[str, Any], list[str], list[str]]:
    """(record of the runs that are now due, pages to look at, those of them whose code changed)."""
    common = state.fingerprint(variant.root, COMMON)
    wanted, look, stale = {}, [], []
    kept = (variant.cache / "global.db").is_file()
    for page, text in chapters(variant).items():
        before = last.get(page, {}) if kept else {}
        code, cells = key(variant.root, text, common), hashlib.sha256(text.encode()).hexdigest()
        wanted[page] = {**before, "code": code, "text": cells}
        if (before.get("code"), before.get("text")) != (code, cells):
            look.append(page)
        if before.get("code") not in (None, code):
            stale.append(page)
    look.sort(key=lambda page: -wanted[page].get("seconds", 1e9))  # the longest first, so that the end is even
    return wanted, look, stale


def read(root: Path, page: str) -> tuple[Any, dict[str, Any]]:
    """The chapter as a notebook, read as Sphinx reads it, and its own settings for the run."""
    from myst_nb.core.config import NbParserConfig
    from myst_nb.core.read import create_nb_reader
    from myst_parser.config.main import MdParserConfig

    path = root / f"{page}.md"
    text = path.read_text(encoding="utf-8")
    reader = create_nb_reader(str(path), MdParserConfig(enable_extensions={"colon_fence"}), NbParserConfig(), text)
    if reader is None:
        return None, {}
    notebook = reader.read(text)
    return notebook, dict(notebook.metadata.get("mystnb", {}))


def run(root: str, page: str, timeout: float) -> tuple[Any, float, bool]:
    """Run one chapter in a kernel: the notebook with outputs, seconds, and whether it came to its end."""
    from jupyter_cache.executors.utils import single_nb_execution

    notebook, own = read(Path(root), page)
    done = single_nb_execution(
        notebook,
        cwd=str((Path(root) / page).parent),
        timeout=own.get("execution_timeout", timeout),
        allow_errors=own.get("execution_allow_errors", False),
    )
    return notebook, done.time, done.err is None


def leave_with(parent: int) -> None:
    """End this worker when its parent is gone: it would wait for work for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(root: Path, folder: Path, jobs: int, pages: list[str], stale: set[str]) -> None:
    """Run what is not in the cache; print what Sphinx would print."""
    import yaml
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    sys.path.insert(0, str(root / "book" / "_ext"))
    from course_code import set_environment

    set_environment(SimpleNamespace(srcdir=root))
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    timeout = config.get("execute", {}).get("timeout", 30)
    cache, due = get_cache(str(folder)), []
    for page in pages:
        notebook, own = read(root, page)
        if notebook is None or own.get("execution_mode", "cache") != "cache":
            continue
        try:
            found = cache.match_cache_notebook(notebook)
        except KeyError:
            due.append(page)
            continue
        if page in stale:
            cache.remove_cache(found.pk)
            due.append(page)
    with ProcessPoolExecutor(jobs, initializer=leave_with, initargs=(os.getpid(),)) as pool:
        running: dict[Future, str] = {pool.submit(run, str(root), page, timeout): page for page in due}
        for page in due[:jobs]:
            print(f"{page}: Executing notebook", flush=True)
        for number, future in enumerate(as_completed(running), 1):
            page, (notebook, seconds, ended) = running[future], future.result()
            if not ended:
                continue
            bundle = CacheBundleIn(notebook, str(root / f"{page}.md"), data={"execution_seconds": seconds})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            print(f"{page}: Executed notebook in {seconds:.2f} seconds ({number} of {len(due)})", flush=True)


if __name__ == "__main__":
    here, place, number, *names = sys.argv[1:]
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    changed = {name.removeprefix("!") for name in names if name.startswith("!")}
    main(Path(here), Path(place), int(number), [name.removeprefix("!") for name in names], changed)
