"""Markdown to HTML for feedback pages and formgrader, without anything that could run or reach out.

`nbgrader_config.py` puts `markdown2html` in place of nbconvert's filter of that name, so nbgrader's own
pages use it too. Students' text passes through an allow-list (bleach); links open as they are, images must
be part of the notebook.
"""

from __future__ import annotations

import bleach
from jinja2 import pass_context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

_TAGS = """a abbr b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre s
samp span strong sub sup table tbody td th thead tr ul var"""
TAGS = frozenset(_TAGS.split())
ATTRIBUTES = {
    "a": ["href", "title"],
    "img": ["src", "alt", "title"],
    "th": ["align"],
    "td": ["align"],
    "div": ["class"],
    "span": ["class"],
    "pre": ["class"],
    "code": ["class"],
}
IMAGES = ("data:image/png;base64,", "data:image/jpeg;base64,", "data:image/gif;base64,")
LINKS = ("http://", "https://", "mailto:", "#")


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img" and name == "src":
        return value.startswith(IMAGES)
    if tag == "a" and name == "href":
        return value.startswith(LINKS)
    return name in ATTRIBUTES.get(tag, [])


def clean(html: str) -> str:
    """`html` with every tag, attribute and address outside the allow-list taken out or shown as text.

    >>> clean("<b>hi</b><script>alert(1)</script>")
    '<b>hi</b>&lt;script&gt;alert(1)&lt;/script&gt;'
    """
    return bleach.clean(
        html,
        tags=TAGS,
        attributes=_allowed,
        protocols=["http", "https", "mailto", "data"],
        strip_comments=True,
    )


@pass_context
def markdown2html(context, source: str) -> str:
    """nbconvert's filter `markdown2html`, cleaned."""
    cell = context.get("cell") or {}
    renderer = IPythonRenderer(
        escape=False, attachments=cell.get("attachments", {}), exclude_anchor_links=True
    )
    return clean(MarkdownWithMath(renderer=renderer).render(source))
