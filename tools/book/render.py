"""One run of Sphinx, in a process of its own:  python -m tools.book.render ROOT '{"builder": "html", ...}'

The configuration is Jupyter Book's reading of _config.yml and _toc.yml; what a variant and a builder change on top of
it is here. Started by tools/book/site.py, which decides what to run and shows the output.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from jupyter_book.sphinx import build_sphinx

from tools.book.variant import Variant

ABSENT = ["ref", "toc", "etoc", "myst.xref_missing", "bibtex", "numref", "epub.unknown_project_files"]
"""With some pages only, what leads to the others is no fault."""


def write_toc(variant: Variant) -> Path:
    """The table of contents: the book's own, or one that lists the chosen pages."""
    if not variant.only:
        return variant.root / "_toc.yml"
    toc: dict[str, Any] = {"format": "jb-book", "root": variant.only[0]}
    if rest := variant.only[1:]:
        toc["chapters"] = [{"file": page} for page in rest]
    path = variant.home / "_toc.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")
    return path


def overrides(variant: Variant, builder: str) -> dict[str, Any]:
    """What this run changes in the configuration."""
    own: dict[str, Any] = {
        "language": variant.language,
        "external_toc_path": write_toc(variant).as_posix(),
        "latex_individualpages": False,
        "nb_execution_cache_path": variant.cache.as_posix(),
        "nitpicky": not variant.only,
        "version": "1",  # an EPUB must have one; here, because another value per builder would read all pages again
    }
    if variant.only:
        own["include_patterns"] = [f"{page}.md" for page in variant.only]
        own["suppress_warnings"] = ["myst.domains", *ABSENT]
    if builder == "epub":
        own |= {"epub_show_urls": "no", "epub_tocdepth": 2, "epub_basename": "llmlab", "html_extra_path": []}
    return own


def main(root: str, order: str) -> int:
    """Run Sphinx as ordered; its exit status."""
    wanted = json.loads(order)
    builder, out, force = wanted.pop("builder"), wanted.pop("out"), wanted.pop("force")
    variant = Variant(Path(root), **{**wanted, "only": tuple(wanted["only"])})
    result = build_sphinx(
        variant.root.as_posix(),
        out,
        noconfig=True,
        path_config=(variant.root / "_config.yml").as_posix(),
        confoverrides=overrides(variant, builder),
        doctreedir=variant.doctrees.as_posix(),
        builder=builder,
        force_all=force,
        warningiserror=True,
        keep_going=True,
    )
    return result if isinstance(result, int) else 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
