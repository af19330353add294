"""The sampling playground: a figure with sliders, and buttons in the prose that put it into a state.

    ```{sampling-playground} ../_data/sampling.json
    :name: playground
    ```
    At {figset}`a low temperature <playground: T=0.2, k=5>` ...

The data file is {"prompt", "tokens", "logits", "seen"} as written by book/_data/make_sampling.py; it is
checked here, and so are the names and values of the buttons. Its script and style load only on pages that
have the figure. The pattern for a further figure: one script in book/_static/figures, one directive like
this one.
"""

from __future__ import annotations

import json
import math
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import ReferenceRole, SphinxDirective

log = logging.getLogger(__name__)
FILES = ("figures/sampling.css", "figures/sampling.js")
RANGES = {"T": (0, 2), "k": (1, 101), "p": (0.05, 1), "m": (0, 0.5), "r": (1, 2)}
"""Names and ranges of the sliders; k = 101 means off. The same as KNOBS in sampling.js (a test compares)."""


def read_data(path: Path) -> dict[str, Any]:
    """The figure's data. Raises ValueError naming what is wrong: fields, lengths, infinite values."""
    data = json.loads(path.read_text(encoding="utf-8"))
    missing = {"prompt", "tokens", "logits", "seen"} - set(data)
    if missing:
        raise ValueError(f"{path.name} lacks {', '.join(sorted(missing))}")
    sizes = {key: len(data[key]) for key in ("tokens", "logits", "seen")}
    if len(set(sizes.values())) != 1 or not sizes["tokens"]:
        raise ValueError(f"{path.name}: one entry per token is needed, but the lengths are {sizes}")
    bad = [x for x in data["logits"] if not isinstance(x, (int, float)) or not math.isfinite(x)]
    if bad:
        raise ValueError(f"{path.name}: logits must be finite numbers, not {bad[0]!r}")
    return data


class SamplingPlayground(SphinxDirective):
    required_arguments = 1
    option_spec = {"name": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        try:
            data = read_data(Path(path))
        except (OSError, ValueError) as error:
            raise self.error(f"sampling-playground: {error}. Run book/_data/make_sampling.py") from None
        name = nodes.make_id(self.options.get("name", "playground"))
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
        html = (
            f'<div class="fig-sampling" id="{name}" role="group" aria-label="Sampling playground">'
            f'<script type="application/json">{text}</script>'
            "<noscript><p>This figure needs JavaScript: it shows how temperature, top-k, top-p, min-p and "
            "the repetition penalty change the distribution of the next token.</p></noscript></div>"
        )
        return [nodes.raw("", html, format="html")]


def parse_state(target: str) -> tuple[str, str]:
    """ "fig: T=0.2, k=5" -> ("fig", "T=0.2,k=5"). ValueError names an unknown slider or a value outside.

    >>> parse_state("playground: T=0.2, k=5")
    ('playground', 'T=0.2,k=5')
    """
    figure, _, state = target.partition(":")
    pairs = []
    for pair in filter(None, (p.strip() for p in state.split(","))):
        name, _, value = (x.strip() for x in pair.partition("="))
        if name not in RANGES:
            raise ValueError(f"there is no slider {name!r}; the sliders are {', '.join(RANGES)}")
        low, high = RANGES[name]
        if not low <= float(value) <= high:
            raise ValueError(f"{name}={value} is outside {low} to {high}")
        pairs.append(f"{name}={value}")
    return figure.strip(), ",".join(pairs)


class FigSet(ReferenceRole):
    """{figset}`text <figure: T=0.2, k=5>`: a button that sets the sliders (the others go to their start)."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            figure, state = parse_state(self.target)
        except ValueError as error:
            log.warning("figset: %s", error, location=self.get_location(), type="figset")
            return [nodes.problematic(self.rawtext, self.rawtext)], []
        html = (
            f'<button type="button" class="fig-set" data-fig="{escape(nodes.make_id(figure))}" '
            f'data-set="{escape(state)}">{escape(self.title)}</button>'
        )
        return [nodes.raw("", html, format="html")], []


def add_files(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is None or not any(
        'class="fig-sampling"' in raw.astext() for raw in doctree.findall(nodes.raw)
    ):
        return
    for name in FILES:
        (app.add_css_file if name.endswith(".css") else app.add_js_file)(name)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("sampling-playground", SamplingPlayground)
    app.add_role("figset", FigSet())
    app.connect("html-page-context", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
