"""What the chapters run on: this repository's `solutions/`, one thread, the book's plot style.

It sets environment variables before any kernel starts, so every way of building the book runs the same
code. It also re-reads a chapter whose execution failed last time: Sphinx would otherwise keep the broken
page, print nothing and return 0 on the second build. It does not decide when cached outputs are stale
because the code below them changed; `book/build.py` does that.
"""

from __future__ import annotations

import os
from pathlib import Path

from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ConfigError


def set_environment(app: Sphinx) -> None:
    """Point the chapters' kernels at `solutions/` of this source tree."""
    root = Path(app.srcdir)
    code = root / "solutions"
    if not code.is_dir():
        raise ConfigError(
            f"The chapters run against {code}, which does not exist. Build the book from the repository."
        )
    os.environ["LLMLAB_CODE"] = str(code)
    os.environ["MATPLOTLIBRC"] = str(root / "book" / "_data" / "matplotlibrc")
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # whatever the caller's shell says
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def failed_chapters(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Names of the documents whose notebook did not run to its end in the previous build."""
    executed = {doc: data.get("exec_data") for doc, data in NbMetadataCollector.get_doc_data(env).items()}
    return sorted(doc for doc, result in executed.items() if result and not result["succeeded"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", set_environment)
    app.connect("env-get-outdated", failed_chapters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
