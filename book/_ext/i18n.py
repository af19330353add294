"""Strings in the reader's language: for the extensions, for the figures' scripts, and for Sphinx itself.

    from i18n import _                       # in an extension
    title = _("Check yourself")              # the English text is the key; a lazy string until Sphinx has started
    _("{n} of {all} tokens").format(n=3, all=9)

    llmlab._("{n} of {all} tokens", {n: 3, all: 9})     // in a script: book/_static/figures/lib.js

The language is Sphinx's (`python book/build.py --language zh_CN`). Catalogues are book/_locale/<language>/LC_MESSAGES:
`llmlab` for extensions, scripts and figures' declarations, `sphinx` for words of the theme that it does not translate,
and one for each page. Sphinx compiles them when it builds; `python book/translate.py` writes them. Scripts get their
strings as a file, `window.llmlabText = {...}`, which every page of a translated book loads first, so it works from
file://. This does not decide which pages a language has or how they are linked; languages.py does.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import sphinx.locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from sphinx.application import Sphinx
from sphinx.locale import get_translation
from sphinx.util.i18n import CatalogInfo

DOMAIN = "llmlab"
ENGLISH = "en"
LOCALES = "book/_locale"
FOR_SCRIPTS = ".js"
"""Messages from such files are sent to the browser. Labels of knobs are not: figures.py writes them into the page."""

_ = get_translation(DOMAIN)
"""Translate a string of an extension. A lazy string while no language is set, so module constants may use it."""


def N_(text: str) -> str:
    """Mark a string for the catalogue that is translated later, where it is used."""
    return text


def catalogue(root: Path, code: str, domain: str = DOMAIN) -> Path:
    """The file of translations of one domain; it need not exist."""
    return root / LOCALES / code / "LC_MESSAGES" / f"{domain}.po"


@cache
def read_catalogue(po: Path, changed: int) -> Catalog:
    """The messages of a file; read once for all pages of a build. changed: when it was, so that a new one is read again."""
    with po.open("rb") as file:
        return read_po(file)


def translation(root: Path, code: str, text: str) -> str:
    """One string in a language other than that of this build; the English one if it has no translation."""
    po = catalogue(root, code)
    if not po.is_file():
        return text
    message = read_catalogue(po, po.stat().st_mtime_ns).get(text)
    return str(message.string) if message and message.string else text


def script_texts(po: Path) -> dict[str, str]:
    """{English: translation} of the messages that scripts use, without those that are untranslated or fuzzy."""
    return {
        message.id: message.string
        for message in read_catalogue(po, po.stat().st_mtime_ns)
        if message.id
        and message.string
        and not message.fuzzy
        and any(str(name).endswith(FOR_SCRIPTS) for name, _line in message.locations)
    }


def script_name(code: str) -> str:
    """The file of strings for scripts, below _static."""
    return f"llmlab-text.{code}.js"


def write_script_texts(app: Sphinx) -> None:
    """Write the strings for scripts, and load them on every page before any other script of the book."""
    code = app.config.language
    po = catalogue(Path(app.srcdir), code)
    if app.builder.format != "html" or code == ENGLISH or not po.is_file():
        return
    file = Path(app.outdir) / "_static" / script_name(code)
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(script_texts(po), ensure_ascii=False, indent=0, sort_keys=True)
    file.write_text(f"window.llmlabText = {text};\n", encoding="utf-8")
    app.add_js_file(script_name(code), priority=200)


def setup(app: Sphinx) -> dict[str, Any]:
    code = app.config.language
    sphinx.locale.translators.pop(("general", DOMAIN), None)  # of an earlier build in this process
    po = catalogue(Path(app.srcdir), code)
    compiled = CatalogInfo(str(po.parent), DOMAIN, "utf-8")
    if po.is_file() and compiled.is_outdated():
        compiled.write_mo(code)
    app.add_message_catalog(DOMAIN, str(Path(app.srcdir) / LOCALES))
    app.connect("builder-inited", write_script_texts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
