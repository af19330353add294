"""Editions of the book in other languages: their pages, where they are built, and how a reader goes between them.

A language is a folder book/_locale/<code> with a `toc.yml`: the pages that are translated, in order. `python
book/build.py` builds them after the English book, into html/<zh> beside its pages, with their strings from the
catalogues (i18n.py) and the outputs of their cells from the same execution cache. What they link to and do not have is
linked in English, through the inventory of the English build, which therefore comes first. Every page has a switch in
its header: to the same page in the other language or, where there is none, to its start page, which then says so. It
needs no JavaScript.

It translates nothing itself; `python book/translate.py` keeps the catalogues, docs/translating.md tells how.
"""

from __future__ import annotations

import logging
import posixpath
import re
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import jieba
from babel import Locale
from docutils import nodes
from i18n import ENGLISH, LOCALES, N_, _, translation
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ConfigError
from sphinx.transforms import SphinxTransform
from sphinx.util.inventory import InventoryFile
from sphinx.util.osutil import relative_uri
from sphinx_external_toc.parsing import parse_toc_yaml

GENERATED = ("search", "genindex")
"""Pages that Sphinx makes in every edition."""
NOT_HERE = "not-translated"
"""Anchor on a start page: the reader came from a page that this edition does not have."""
CHINESE_EMPHASIS = re.compile(r"<em>(?=[^<]*[\u3400-\u9fff])")
"""Chinese is emphasised by dots below the characters, not by slanting them; English words stay italic."""
ENGLISH_LINK = re.compile(r'<a class="([^"]*\benglish-page\b[^"]*)"')


def folder(code: str) -> str:
    """Where an edition lies below the English one: "zh_CN" -> "zh"."""
    return code.partition("_")[0]


def tag(code: str) -> str:
    """The language as HTML writes it: "zh_CN" -> "zh-CN"."""
    return code.replace("_", "-")


def toc(root: Path, code: str) -> Path:
    """The list of an edition's pages."""
    return root / LOCALES / code / "toc.yml"


def pages(root: Path, code: str) -> list[str]:
    """Document names of an edition, start page first: ["book/intro", ...]."""
    return list(parse_toc_yaml(toc(root, code)))


def editions(root: Path) -> dict[str, list[str]]:
    """{language: its pages} for every translation that there is. English is not among them: it has all pages."""
    return {file.parent.name: pages(root, file.parent.name) for file in sorted((root / LOCALES).glob("*/toc.yml"))}


def link(page: str, here: str, there: str, has: bool, start: str) -> str:
    """Address of `page` in edition `there`, seen from edition `here`; of its start page if it does not have the page.

    >>> link("book/part1/sampling", "en", "zh_CN", True, "book/intro")
    '../../zh/book/part1/sampling.html'
    >>> link("book/part1/sampling", "zh_CN", "en", True, "book/intro")
    '../../../book/part1/sampling.html'
    >>> link("book/part2/roofline", "en", "zh_CN", False, "book/intro")
    '../../zh/book/intro.html#not-translated'
    """

    def place(code: str, name: str) -> str:
        return posixpath.join("" if code == ENGLISH else folder(code), f"{name}.html")

    return relative_uri(place(here, page), place(there, page if has else start)) + ("" if has else f"#{NOT_HERE}")


_THEME = (N_("Toggle primary sidebar"), N_("Toggle secondary sidebar"), N_("Main"), N_("Page"))
"""What the theme says in English in every language."""
_EXCUSE = N_("this page is not translated; to the start page")


def switches(app: Sphinx, page: str) -> list[dict[str, Any]]:
    """What the switch of a page offers: each other edition's name, language, address, and whether it has the page."""
    here, known = app.config.language, editions(Path(app.srcdir))
    offered = []
    for there in [ENGLISH, *known]:
        if there == here:
            continue
        start = app.config.root_doc if there == ENGLISH else known[there][0]
        has = there == ENGLISH or page in known[there] or page in GENERATED
        name = Locale.parse(there).language_name or there
        excuse = "" if has else translation(Path(app.srcdir), there, _EXCUSE)
        offered.append(
            {"name": name, "tag": tag(there), "href": link(page, here, there, has, start), "has": has, "excuse": excuse}
        )
    return offered


def add_switch(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Give a page its switch and the links for browsers, and a translated start page its excuse."""
    if app.builder.name != "html":
        return
    context["language_switch"] = offered = switches(app, page)
    context["language_switch_label"] = _("Language")
    context["metatags"] = context.get("metatags", "") + "".join(
        f'<link rel="alternate" hreflang="{one["tag"]}" href="{escape(one["href"])}">\n'
        for one in offered
        if one["has"]
    )
    app.add_css_file("css/language.css")
    if page == "search" and app.config.language.startswith("zh"):
        app.add_js_file("js/zhsearch.js")
    if app.config.language == ENGLISH or doctree is None:
        return
    body = ENGLISH_LINK.sub(r'<a hreflang="en" class="\1"', context["body"])
    body = CHINESE_EMPHASIS.sub('<em class="han">', body)
    if page == app.config.root_doc:
        excuse = escape(_("The page that you came from has not been translated yet. These pages have been."))
        body = f'<p class="not-translated" id="{NOT_HERE}" role="status">{excuse}</p>\n{body}'
    context["body"] = body


@cache
def inventory(file: Path, needed: bool) -> dict[str, dict[str, Any]]:
    """What the English book has: {"std:label": {name: (project, version, address, title)}, ...}.

    If it is not built: a ConfigError, or nothing where links do not matter."""
    if not file.is_file() and not needed:
        return {}
    if not file.is_file():
        raise ConfigError(f"{file} does not exist. A translation links to the English book, so build that first.")
    with file.open("rb") as stream:
        return InventoryFile.load(stream, "", posixpath.join)


def find(known: dict[str, dict[str, Any]], kinds: list[str], target: str) -> Any:
    """The first entry of one of these kinds with this name, whatever its case. None if there is none."""
    for kind in kinds:
        names = known.get(kind, {})
        if entry := names.get(target) or names.get(target.lower()):
            return entry
    return None


def to_english(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Link what this edition does not have to the English page.

    None, and so Sphinx's warning, if that does not have it either. An EPUB has no English book beside it: there the
    words stand without a link.
    """
    if app.config.language == ENGLISH or node.get("refdomain", "") not in env.domains:
        return None
    if app.builder.name != "html":
        return content
    target, domain = node["reftarget"], env.get_domain(node["refdomain"])
    if node["reftype"] == "doc":
        target = posixpath.normpath(posixpath.join(posixpath.dirname(node["refdoc"]), target)).lstrip("/")
    kinds = [f"{domain.name}:{kind}" for kind in domain.objtypes_for_role(node["reftype"]) or ["label"]]
    entry = find(inventory(Path(app.outdir).parent / "objects.inv", app.config.nitpicky), kinds, target)
    if entry is None:
        return None
    _project, _version, address, title = entry
    here = posixpath.join(folder(app.config.language), app.builder.get_target_uri(node["refdoc"]))
    file, hash_sign, anchor = address.partition("#")
    uri = relative_uri(here, file) + hash_sign + anchor  # relative_uri would drop the anchor
    made = nodes.reference("", "", internal=False, refuri=uri, reftitle=_("in English"), classes=["english-page"])
    explicit = node.get("refexplicit") or title in ("", "-")
    made += content if explicit else content.__class__("", title)
    return made


def translate_theme(app: Sphinx, error: Exception | None) -> None:
    """Names of buttons that the theme's templates do not translate."""
    if error is not None or app.builder.name != "html" or app.config.language == ENGLISH:
        return
    named = re.compile(rf'\b(title|aria-label)="({"|".join(_THEME)})"')
    for page in Path(app.outdir).rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        changed = named.sub(lambda match: f'{match[1]}="{escape(_(match[2]))}"', html)
        if changed != html:
            page.write_text(changed, encoding="utf-8")


class KeepAsItIs(SphinxTransform):
    """Formulas are the same in every language, and the glossary names its terms in both: neither is translated."""

    default_priority = 15  # before sphinx.transforms.i18n.Locale, at 20

    def apply(self, **kwargs: Any) -> None:
        for node in self.document.findall(lambda one: isinstance(one, (nodes.term, nodes.math_block))):
            node["translatable"] = False


def translate_alt_texts(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Plots are drawn once, for all editions; what they show in words is translated here."""
    if app.config.language != ENGLISH:
        for image in doctree.findall(nodes.image):
            if image.get("alt"):
                image["alt"] = _(image["alt"])


def use_edition(app: Sphinx) -> None:
    """Build an edition's pages, and what the English book has already, one folder up, not again."""
    config, code = app.config, app.config.language
    file = toc(Path(app.srcdir), code)
    if not file.is_file():
        known = ", ".join(editions(Path(app.srcdir))) or "none"
        raise ConfigError(f"there is no {file}, so no edition in {code!r}; the translations are: {known}")
    if Path(app.srcdir, config.external_toc_path) == Path(
        app.srcdir, "_toc.yml"
    ):  # else some pages were asked for by name
        config.external_toc_path, config.external_toc_exclude_missing = str(file), True
    if app.outdir.name == folder(code):  # pages; an EPUB is complete
        config.html_extra_path = []
        config.mathjax_path = f"../{config.mathjax_path}"
        config.tippy_js = [f"../{name}" for name in config.tippy_js]
    config.html_title = config.project = _("llmlab: how language models generate text")
    config.togglebutton_hint, config.togglebutton_hint_hide = _("Click to show"), _("Click to hide")
    config.html_theme_options = {**config.html_theme_options, "search_bar_text": _("Search this book...")}


def teach_search(app: Sphinx) -> None:
    """Tell jieba, which cuts Chinese into words for the search, the glossary's terms, so that they are found whole."""
    if app.config.language.startswith("zh") and app.builder.name == "html":
        jieba.setLogLevel(logging.WARNING)  # it would tell on stderr that it loads its dictionary
        glossary = Path(app.srcdir, "book", "glossary.md")
        for term in re.findall(
            r"^[\u3400-\u9fff]{2,}$", glossary.read_text(encoding="utf-8") if glossary.is_file() else "", re.M
        ):
            jieba.add_word(term)


def keep_outputs_in_one_place(app: Sphinx) -> None:
    """myst-nb writes the pictures of cells beside the pages: for an edition, that is among the English pages."""
    if app.config.language != ENGLISH and app.outdir.name == folder(app.config.language):
        pictures = Path(app.outdir).parents[1] / "jupyter_execute"
        app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=str(pictures))


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("i18n")
    inventory.cache_clear()
    if app.config.language != ENGLISH:
        use_edition(app)
    if editions(Path(app.srcdir)):
        app.config.templates_path = [*app.config.templates_path, str(Path(__file__).with_name("templates"))]
        options = dict(app.config.html_theme_options)
        options["article_header_end"] = ["language-switch.html", "article-header-buttons.html"]
        app.config.html_theme_options = options
        app.connect("html-page-context", add_switch)
    app.add_transform(KeepAsItIs)
    app.connect("doctree-resolved", translate_alt_texts, priority=400)  # alt_text.py looks at 500
    app.connect("missing-reference", to_english)
    app.connect("build-finished", translate_theme)
    app.connect("builder-inited", teach_search)
    app.connect("builder-inited", keep_outputs_in_one_place, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
