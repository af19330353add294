"""Students' HTML and Markdown for feedback pages and formgrader: nothing in it runs or reaches out.

`nbgrader_config.py` puts `markdown2html` in place of nbconvert's filter of that name, so nbgrader's own pages
use it too. What is safe does not depend on how the input is read: the output is written anew, with tags,
attributes and addresses of an allow-list, everything else as text, every tag closed. One pass is enough for
that, whatever the input.
"""

from __future__ import annotations

import base64
import binascii
import re
from html import escape, unescape
from typing import Any

from jinja2 import pass_context
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath

from llmlab.grading.mathml import to_mathml

_TAGS = """a abbr b blockquote br caption code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre
s samp small span strong sub sup table tbody td tfoot th thead tr u ul var"""
TAGS = frozenset(_TAGS.split())
ALONE = frozenset(("br", "hr", "img"))
ATTRIBUTES = {
    "a": ("href", "title"),
    "img": ("src", "alt", "title"),
    "th": ("align", "colspan", "rowspan"),
    "td": ("align", "colspan", "rowspan"),
    "div": ("class",),
    "span": ("class",),
    "pre": ("class",),
    "code": ("class",),
}
CLASSES = re.compile(r"(?:highlight|language-[\w-]{1,20}|[a-z][a-z0-9]?)")
"""Only what the highlighter writes; a page's own classes could hide or imitate a verdict."""
IMAGES = ("image/png", "image/jpeg", "image/gif")
STARTS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
DROPPED = frozenset(("style", "title"))
"""Left out with what is in them: Jupyter's tables bring a `<style>`, and its text says nothing to a reader.
"""
DEEPEST = 100
LONGEST = 50_000
"""Characters of Markdown that are rendered; a longer cell is shown as its text."""
_TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9]*+)((?:[^"'<>]++|"[^"<]*+"|'[^'<]*+')*+)>""")
"""A whole tag. It never looks past the next `<`, so any input is read in one pass."""
_ATTRIBUTE = re.compile(r"""([a-zA-Z][\w-]*+)\s*+(?:=\s*+("[^"]*+"|'[^']*+'|[^\s"'>]++))?""")
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARKED = re.compile(f"{_OPEN}([0-9]{{1,6}}){_CLOSE}")
_NO_MARKS = {ord(_OPEN): None, ord(_CLOSE): None}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.I)
_REACHING = re.compile(
    r"(\\|&(?:#0*92|#x0*5c|bsol);?)(?=(?:href|url|style|class|cssId|require|unicode|mmlToken|html\w+|data"
    r"|bbox|includegraphics|def|let|newcommand|renewcommand|newenvironment)\b)",
    re.I,
)


def tex(source: str) -> str:
    """TeX in which formgrader's MathJax finds no command that links, loads, styles or defines: an invisible
    character stands between the backslash and the name.

    >>> tex(r"\\href{javascript:alert(1)}{x}").isascii(), tex(r"\\frac{1}{2}").isascii()
    (False, True)
    """
    return _REACHING.sub("\\1\u2060", source)


def link(address: str) -> str | None:
    """The address of a link if it may stand: http, https, mailto, or inside of the page or the book.

    >>> [link(x) for x in ("https://a.b/c", "java\\tscript:alert(1)", "//evil.example", "part1/beam.html#x")]
    ['https://a.b/c', None, None, 'part1/beam.html#x']
    """
    plain = re.sub(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", "", address)
    if plain.lower().startswith(("http://", "https://", "mailto:")):
        return plain
    if _SCHEME.match(plain) or plain.startswith(("//", "\\", "/")) or ":" in plain.split("/")[0]:
        return None
    return plain


def picture(source: str) -> str | None:
    """A picture's `data:` address if the bytes are of the kind that it names; nothing is ever loaded from
    elsewhere.
    """
    kind, _, data = source.removeprefix("data:").partition(";base64,")
    if not source.startswith("data:") or kind not in IMAGES:
        return None
    try:
        raw = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    if not any(raw.startswith(start) and kind == name for start, name in STARTS.items()):
        return None
    return f"data:{kind};base64,{base64.b64encode(raw).decode()}"


class _Writer:
    """Reads HTML in one pass and writes it anew. What is no tag of the allow-list becomes text."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.open: list[str] = []
        self.skipped = ""

    def read(self, html: str) -> None:
        at, comments = 0, True
        while at < len(html):
            sign = html.find("<", at)
            self.text(html[at : len(html) if sign < 0 else sign])
            if sign < 0:
                return
            if comments and html.startswith("<!--", sign):
                end = html.find("-->", sign + 4)
                comments = end >= 0  # if one is not closed, no later one is
                if comments:
                    at = end + 3
                    continue
            found = _TAG.match(html, sign)
            if found is None:
                self.text("<")
                at = sign + 1
                continue
            at = found.end()
            self.tag(found[0], found[1] == "/", found[2].lower(), found[3])

    def tag(self, whole: str, ends: bool, tag: str, attributes: str) -> None:
        if self.skipped:
            if ends and tag == self.skipped:
                self.skipped = ""
        elif tag in DROPPED:
            self.skipped = "" if ends else tag
        elif tag not in TAGS:
            self.text(whole)
        elif ends:
            if tag in self.open:
                self.close(tag)
        elif len(self.open) < DEEPEST or tag in ALONE:
            kept = _attributes(tag, attributes)
            if tag == "img" and "src" not in kept:
                self.text(f"[{kept.get('alt') or 'picture'}]")
                return
            shown = "".join(f' {name}="{escape(value)}"' for name, value in kept.items())
            self.out.append(f"<{tag}{shown}>")
            if tag not in ALONE:
                self.open.append(tag)

    def close(self, tag: str) -> None:
        """Close the innermost `tag`, and what is open in it."""
        last = ""
        while last != tag:
            last = self.open.pop()
            self.out.append(f"</{last}>")

    def text(self, text: str) -> None:
        if not self.skipped:
            self.out.append(escape(tex(unescape(text)), quote=False))

    def written(self) -> str:
        return "".join([*self.out, *[f"</{tag}>" for tag in reversed(self.open)]])


def _attributes(tag: str, text: str) -> dict[str, str]:
    kept: dict[str, str] = {}
    for found in _ATTRIBUTE.finditer(text):
        name, value = found[1].lower(), unescape((found[2] or "").strip("\"'"))
        shown: str | None = value
        if name not in ATTRIBUTES.get(tag, ()) or name in kept:
            continue
        if name == "href":
            shown = link(value)
        elif name == "src":
            shown = picture(value)
        elif name == "class":
            shown = " ".join(part for part in value.split() if CLASSES.fullmatch(part)) or None
        elif name in ("colspan", "rowspan"):
            shown = value if re.fullmatch(r"[1-9]\d?", value) else None
        if shown is not None:
            kept[name] = shown
    if "href" in kept:
        kept["rel"] = "noopener noreferrer nofollow"
    return kept


def clean(html: str) -> str:
    """`html` with every tag, attribute and address outside the allow-list taken out or shown as text.

    >>> clean("<b>hi</b><script>alert(1)</script>")
    '<b>hi</b>&lt;script&gt;alert(1)&lt;/script&gt;'
    >>> clean("<a href='javascript:alert(1)' onclick=x>y")
    '<a>y</a>'
    """
    writer = _Writer()
    writer.read(html)
    return writer.written()


class _Renderer(IPythonRenderer):
    """nbconvert's renderer, with short formulas as MathML and without a fault at a missing attachment."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.formulas: dict[int, tuple[str, str]] = {}

    def inline_math(self, body: str) -> str:
        return self._kept(to_mathml(body), f"${body}$") or super().inline_math(body)

    def block_math(self, body: str) -> str:
        return self._kept(to_mathml(body, block=True), f"$${body}$$") or super().block_math(body)

    def _kept(self, made: str | None, source: str) -> str:
        """A mark in the formula's place, which passes the cleaning as text; "" if there is no formula."""
        if made is None:
            return ""
        number = len(self.formulas)
        self.formulas[number] = made, escape(tex(source))
        return f"{_OPEN}{number}{_CLOSE}"

    def _embed_image_or_attachment(self, src: str) -> str:
        try:
            return super()._embed_image_or_attachment(src)
        except (InvalidNotebook, StopIteration):
            return ""

    def with_formulas(self, html: str) -> str:
        """Cleaned HTML with each formula in its place, once: as MathML in text, as TeX within a tag."""
        parts = re.split(r"(<[^>]*>)", html)  # in what `clean` wrote, no attribute holds < or >
        for at, part in enumerate(parts):
            parts[at] = _MARKED.sub(
                lambda found, way=at % 2: self.formulas.pop(int(found[1]), ("", ""))[way], part
            )
        return "".join(parts)


@pass_context
def markdown2html(context, source: str) -> str:
    """nbconvert's filter `markdown2html`, cleaned."""
    if len(source) > LONGEST:
        return f"<pre>{escape(source, quote=False)}</pre>"
    cell = context.get("cell") or {}
    renderer = _Renderer(escape=False, attachments=cell.get("attachments", {}), exclude_anchor_links=True)
    try:
        made = MarkdownWithMath(renderer=renderer).render(source.translate(_NO_MARKS))
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):  # odd text costs its looks only
        return f"<pre>{escape(source, quote=False)}</pre>"
    return renderer.with_formulas(clean(made))
