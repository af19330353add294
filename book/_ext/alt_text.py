"""Every picture says in words what it shows: an image without an alt text is a warning, so a failed build.

For a plot that a cell draws, write the text into the cell's options:

    ---
    mystnb:
      image:
        alt: Entropy rises with temperature, from 0 at T=0 to the logarithm of the vocabulary.
    ---

Without it the HTML would say alt="_images/<hash>.png". A purely decorative picture says `:class:
decorative`.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)


def check(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Warn about every image of `docname` whose alt text is missing or shorter than two words."""
    for image in doctree.findall(nodes.image):
        if "decorative" in image.get("classes", []):
            image["alt"] = ""
            continue
        if len(image.get("alt", "").split()) < 2:
            log.warning(
                "image %s in %s has no alt text (%r); "
                "for a plot put `mystnb: {image: {alt: ...}}` into the cell's options",
                image.get("uri", "?"),
                docname,
                image.get("alt", ""),
                location=image,
                type="alt",
            )


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
