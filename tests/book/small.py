"""A Sphinx project of a few lines with some of the book's extensions, built in this process in under a second."""

from __future__ import annotations

import io
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils


def build(
    root: Path, files: dict[str, str], extensions: list[str], builder: str = "html", **config: object
) -> tuple[Path, str]:
    """Write `files` below `root` and build them; -> (the output folder, the warnings as text)."""
    for name, text in {"conf.py": "", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    settings = {
        "extensions": ["myst_parser", *extensions],
        "source_suffix": {".rst": "restructuredtext", ".md": "markdown"},  # Sphinx keeps what another test's build added to it
        "myst_enable_extensions": ["dollarmath"],
        "html_theme": "basic",
        "exclude_patterns": ["out*"],
        "suppress_warnings": ["epub.unknown_project_files"],
        **config,
    }
    out, said = root / f"out-{builder}", io.StringIO()
    with patch_docutils(), docutils_namespace():
        Sphinx(root, root, out, out / ".doctrees", builder, settings, status=None, warning=said, freshenv=True).build()
    return out, said.getvalue()
