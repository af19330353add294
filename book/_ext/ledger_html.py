"""What a ledger consists of, and its HTML: a claim, its evidence folded up, and the filter.

ledger.py makes them. Other builders show what is inside a claim and its evidence, and no filter. Evidence cannot be
unfolded in an EPUB or on paper, so there it is open.
"""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from i18n import _
from sphinx.application import Sphinx

UNFOLDED = ("epub", "singlehtml")
Pairs = list[tuple[str, str]]


class claim(nodes.General, nodes.Element):
    """One row. Attributes: `verdict`, `lecture`, `subject`; js/ledger.js filters by them."""


class evidence(nodes.General, nodes.Element):
    """What shows a row. Attribute: `summary`."""


class controls(nodes.General, nodes.Element):
    """The filter. Attribute: `fields`, for each select its name, its label, and (value, text) of its options."""


def visit_claim(self: Any, node: claim) -> None:
    data = {f"data-{key}": str(node[key]) for key in ("verdict", "lecture", "subject")}
    self.body.append(self.starttag(node, "div", CLASS="ledger-row", **data))


def depart_claim(self: Any, node: claim) -> None:
    self.body.append("</div>\n")


def visit_evidence(self: Any, node: evidence) -> None:
    shown = ' open="open"' if self.builder.name in UNFOLDED else ""
    self.body.append(f'<details class="ledger-evidence"{shown}><summary>{escape(node["summary"])}</summary>\n')


def depart_evidence(self: Any, node: evidence) -> None:
    self.body.append("</details>\n")


def select(name: str, label: str, pairs: Pairs) -> str:
    """A labelled select.

    >>> select("verdict", "Verdict", [("", "all")])
    '<label>Verdict <select name="verdict"><option value="">all</option></select></label>'
    """
    options = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in pairs)
    return f'<label>{escape(label)} <select name="{name}">{options}</select></label>'


def visit_controls(self: Any, node: controls) -> None:
    """The filter starts hidden: js/ledger.js shows it, since it does nothing without it."""
    if self.builder.name in UNFOLDED:
        raise nodes.SkipNode
    title, words, reset, shown = (
        escape(str(text))
        for text in (_("Filter the claims"), _("Words"), _("Show all"), _("{n} of {all} claims shown."))
    )
    parts = [
        f'<form class="ledger-filter" role="search" aria-label="{title}" hidden>',
        *(select(*field) for field in node["fields"]),
        f'<label>{words} <input name="words" type="search" autocomplete="off"></label>',
        f'<button type="reset">{reset}</button>',
        f'<output aria-live="polite" data-text="{shown}"></output>',
        "</form>\n",
    ]
    self.body.append("\n".join(parts))
    raise nodes.SkipNode


def nothing(self: Any, node: nodes.Element) -> None:
    """Other builders show what is inside."""


def skip(self: Any, node: nodes.Element) -> None:
    raise nodes.SkipNode


def add_files(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """The script goes to the pages that have the filter."""
    if doctree is not None and next(doctree.findall(controls), None) is not None:
        app.add_js_file("js/ledger.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    plain = {name: (nothing, nothing) for name in ("latex", "text", "man", "texinfo")}
    app.add_node(claim, html=(visit_claim, depart_claim), **plain)
    app.add_node(evidence, html=(visit_evidence, depart_evidence), **plain)
    app.add_node(controls, html=(visit_controls, nothing), **{name: (skip, nothing) for name in plain})
    app.connect("html-page-context", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
