"""The tooltip of a glossary term shows the whole entry: English and Chinese names, then the explanation.

sphinx-tippy makes the tips. It takes the explanation only where it follows the term directly, and ours
have a second name between. It also leaves the tip files of earlier builds behind; they are removed here.
A page with tips loads MathJax, since an entry may hold a formula (book/_static/js/tips.js sets it).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx.application import Sphinx


def entries(html: str) -> dict[str, str]:
    """{id of a term: HTML of its entry} for every glossary in a page.

    >>> page = '<dl class="glossary"><dt id="a">token</dt><dt id="b">词元</dt><dd><p>A unit.</p></dd></dl>'
    >>> entries(page)["b"]
    '<dt>token · 词元</dt><dd><p>A unit.</p></dd>'
    """
    found: dict[str, str] = {}
    for glossary in BeautifulSoup(html, "html.parser").select("dl.glossary"):
        names: list[Tag] = []
        for tag in glossary.find_all(["dt", "dd"], recursive=False):
            if tag.name == "dt":
                for link in tag.select("a.headerlink"):
                    link.decompose()
                names.append(tag)
                continue
            title = " · ".join(name.get_text().strip() for name in names)
            found.update({str(name["id"]): f"<dt>{title}</dt>{tag}" for name in names if name.get("id")})
            names = []
    return found


def complete(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """After sphinx-tippy has collected a page's tips: put whole entries in, drop the page's old tip files."""
    data = getattr(app.env, "tippy_data", {"pages": {}})["pages"].get(page)
    if doctree is None or data is None:
        return
    data["id_to_html"].update(entries(context["body"]))
    if data["refs_in_page"]:
        app.env.get_domain("math").data["has_equations"][page] = True
    current = Path(data["js_path"])
    for old in current.parent.glob(f"{current.name.split('.')[0]}.*.js"):
        if old != current:
            old.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", complete, priority=460)  # sphinx-tippy collects at 450
    return {"parallel_read_safe": True, "parallel_write_safe": False}
