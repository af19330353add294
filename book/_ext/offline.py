"""A page reads from file:// with the network off, and its console stays empty.

- A script, style, font or picture that a page would fetch from elsewhere is a warning, so a failed build.
  Links that a reader may click are not touched. MathJax and tippy come from book/_vendor.
- Jupyter Book always loads sphinx-thebe (live code through Binder), whose script is declared twice: it is
  disconnected.
- The theme preloads its icon fonts as cross-origin requests, which browsers refuse from file://: those
  hints go.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

log = logging.getLogger(__name__)
LOADS = re.compile(
    r"""<(?:script|img|iframe|source|embed)\b[^>]*\bsrc=["']((?:https?:)?//[^"']+)|"""
    r"""<link\b(?=[^>]*\brel=["'](?:stylesheet|preload|preconnect|icon|modulepreload))"""
    r"""[^>]*\bhref=["']((?:https?:)?//[^"']+)""",
    re.I,
)
FONT_HINT = re.compile(r'<link rel="preload" as="font"[^>]*>\s*')


def remote_loads(html: str) -> list[str]:
    """Addresses that a browser would fetch by itself on opening the page.

    >>> remote_loads('<script src="https://x.org/a.js"></script><a href="https://y.org">y</a>')
    ['https://x.org/a.js']
    """
    return [a or b for a, b in LOADS.findall(html)]


def without_thebe(app: Sphinx, config: Config) -> None:
    """Take sphinx-thebe's handlers away, and the style sheet that they would have copied."""
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)
    app.registry.css_files[:] = [entry for entry in app.registry.css_files if entry[0] != "sphinx-thebe.css"]


def finish(app: Sphinx, error: Exception | None) -> None:
    """Drop the font hints from the pages, and warn about what they would fetch."""
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for page in sorted(out.rglob("*.html")):
        html = page.read_text(encoding="utf-8")
        lean = FONT_HINT.sub("", html)
        if lean != html:
            page.write_text(lean, encoding="utf-8")
        for address in remote_loads(lean):
            log.warning(
                "%s loads %s: the book must read without a network",
                page.relative_to(out),
                address,
                type="offline",
            )


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", without_thebe)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
