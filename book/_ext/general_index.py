"""The general index: a line in the table of contents, and Chinese terms in one group.

Sphinx makes the index (genindex.html) from the glossary, the functions and the commands; the table of contents may
only list files, so the line is added here, below the references. Sphinx also opens a group for every Chinese
character that a term begins with: dozens of groups of one. They become one.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.addnodes import toctree
from sphinx.application import Sphinx

GROUP = "中文"
PAGE, NEIGHBOUR = "genindex", "book/references"


def chinese(key: str) -> bool:
    """Whether a group of the index is that of a Chinese character.

    >>> chinese("词"), chinese("A"), chinese("Symbols")
    (True, False, False)
    """
    return len(key) == 1 and "\u4e00" <= key <= "\u9fff"


def together(groups: list[tuple[str, list[Any]]]) -> list[tuple[str, list[Any]]]:
    """The groups of the index with all Chinese ones as one, at the end.

    >>> together([("A", [1]), ("分", [2]), ("词", [3])])
    [('A', [1]), ('中文', [2, 3])]
    """
    latin = [(key, entries) for key, entries in groups if not chinese(key)]
    rest = [entry for key, entries in groups if chinese(key) for entry in entries]
    return latin + ([(GROUP, rest)] if rest else [])


def list_it(app: Sphinx, doctree: nodes.document) -> None:
    """Add the index to the part that has the references, or to the last one."""
    if app.env.docname != app.config.root_doc:
        return
    parts = list(doctree.findall(toctree))
    part = next((part for part in parts if (None, NEIGHBOUR) in part["entries"]), parts[-1] if parts else None)
    if part is not None and (None, PAGE) not in part["entries"]:
        part["entries"].append((None, PAGE))


def regroup(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    if page == PAGE:
        context["genindexentries"] = together(context["genindexentries"])
        context["genindexcounts"] = [
            sum(1 + len(sub) for _name, (_links, sub, _key) in entries)
            for _group, entries in context["genindexentries"]
        ]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", list_it, priority=900)  # after sphinx-external-toc has put the table of contents there
    app.connect("html-page-context", regroup)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
