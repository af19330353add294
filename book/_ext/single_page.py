"""The single page, from which the PDF is printed, knows every node that the pages know.

Sphinx looks up how to write a node under the builder's own name, and only if nothing is there under its format, "html".
sphinx-exercise registers its nodes for "singlehtml", which hides everybody else's. Here the two are joined.
"""

from __future__ import annotations

from sphinx.application import Sphinx


def join(app: Sphinx) -> None:
    """What is registered for HTML counts for the single page too."""
    handlers = app.registry.translation_handlers
    if handlers.get("singlehtml"):
        handlers["singlehtml"] = {**handlers.get("html", {}), **handlers["singlehtml"]}


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", join)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
