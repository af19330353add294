"""Links to the book's other formats at the foot of every page, as plain HTML, for those that have been built.

The theme's footer holds an empty `<p class="downloads"></p>` (`extra_footer` in _config.yml); it is filled here after
each build, so that a page never names a file that is not there.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tools.book.variant import LANGUAGES, Variant

PLACE = re.compile(r'<p class="downloads">.*?</p>', re.S)
FORMATS = {"EPUB": "llmlab.epub", "PDF": "llmlab.pdf"}


def folder(variant: Variant) -> Path:
    """Where the files are: beside the pages, so that the whole book is one folder to copy."""
    return variant.html / "downloads"


def links(found: dict[str, Path], page: Path) -> str:
    """The paragraph, with each file's size.

    >>> links({}, Path("a.html"))
    '<p class="downloads"></p>'
    """
    parts = [
        f'<a href="{Path(os.path.relpath(path, page.parent)).as_posix()}" download>{name}</a>'
        f" ({path.stat().st_size / 1e6:.1f} MB)"
        for name, path in found.items()
    ]
    return f'<p class="downloads">{" · ".join(parts)}</p>'


def link(variant: Variant) -> int:
    """Bring the links of this variant's pages up to date; how many pages were changed."""
    found = {name: folder(variant) / file for name, file in FORMATS.items() if (folder(variant) / file).is_file()}
    others = {variant.html / one.partition("_")[0] for one in LANGUAGES[1:]} - {variant.html}
    changed = 0
    for page in variant.html.rglob("*.html"):
        if others & set(page.parents) or "_static" in page.relative_to(variant.html).parts:
            continue
        text = page.read_text(encoding="utf-8")
        fresh = PLACE.sub(lambda _, page=page: links(found, page), text)
        if fresh != text:
            page.write_text(fresh, encoding="utf-8")
            changed += 1
    return changed
