"""Interactive figures without a kernel: the directive {interactive}, buttons in the prose, and predict-then-reveal.

    ```{interactive} roofline
    :data: ../_data/cost.json
    ```
    At {figset}`a large batch <fig-roofline: batch=64>` ...

    ```{reveal} Which of the two is larger?
    The second, because ...
    ```

A figure NAME is book/_figures/NAME.yml (title, fallback, knobs; see `read_spec`) and book/_static/figures/NAME.js, which draws it;
its script and style load only on pages that have it. Names and values of knobs in a button are checked against the figure, as is
the data: a mistake is a warning, so a failed build. Without JavaScript, in EPUB, and in other builders the fallback says what the
figure shows. This file does not draw.
"""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from i18n import _
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import ReferenceRole, SphinxDirective

log = logging.getLogger(__name__)
FOLDER = "book/_figures"
KNOB_KEYS = {"label", "values", "range", "step", "start", "digits", "names", "kind"}
KINDS = {"select", "slider", "checkbox"}
Spec = dict[str, Any]


class interactive(nodes.General, nodes.Element):
    """A figure. Attributes: `figure` (its name), `spec`, `payload` (JSON)."""


class figure_button(nodes.Inline, nodes.TextElement):
    """Text that puts a figure into a state. Attributes: `figure` (an id), `state` ("T=0.2,k=5")."""


class reveal(nodes.General, nodes.Element):
    """A `reveal_question`, then its answer."""


class reveal_question(nodes.Part, nodes.TextElement):
    """What the reader predicts before looking."""


def read_spec(path: Path) -> Spec:
    """A figure's declaration. Raises ValueError naming what is wrong.

    title: what the figure is, a few words. fallback: what it shows, for readers who cannot run it. data: keys its data must have.
    knobs: name -> {label, and `values` (a list) or `range` [low, high] with `step`; start; names {value: word shown for it}; digits;
    kind select, slider or checkbox}. A knob whose start is true or false is a checkbox.
    """
    try:
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from None
    if not isinstance(spec, dict) or not all(str(spec.get(key, "")).strip() for key in ("title", "fallback")):
        raise ValueError(f"{path.name} needs a title and a fallback")
    for name, knob in (spec.setdefault("knobs", {}) or {}).items():
        if unknown := set(knob) - KNOB_KEYS:
            raise ValueError(f"{path.name}: the knob {name} has the unknown key {sorted(unknown)[0]!r}")
        if not knob.get("label") or "start" not in knob or knob.get("kind", "select") not in KINDS:
            raise ValueError(f"{path.name}: the knob {name} needs a label, a start, and a kind out of {', '.join(sorted(KINDS))}")
        if not isinstance(knob["start"], bool) and ("values" in knob) == ("range" in knob):
            raise ValueError(f"{path.name}: the knob {name} needs either values or a range")
        check_value(name, knob, knob["start"])
    return spec


def check_value(name: str, knob: Spec, value: Any) -> None:
    """Raises ValueError if the knob cannot have this value, which may be text.

    >>> check_value("T", {"range": [0, 2], "start": 1}, "3")
    Traceback (most recent call last):
    ValueError: T=3 is outside 0 to 2
    """
    if isinstance(knob["start"], bool):
        if str(value).lower() not in ("0", "1", "true", "false"):
            raise ValueError(f"{name}={value} must be 0 or 1")
    elif "values" in knob:
        if str(value) not in map(str, knob["values"]):
            raise ValueError(f"{name}={value} is not one of {', '.join(map(str, knob['values']))}")
    else:
        low, high = knob["range"]
        if not low <= float(value) <= high:
            raise ValueError(f"{name}={value} is outside {low} to {high}")


def parse_state(target: str) -> tuple[str, dict[str, str]]:
    """ "fig: T=0.2, k=5" -> id of the figure, values by knob.

    >>> parse_state("playground: T=0.2, k=5")
    ('playground', {'T': '0.2', 'k': '5'})
    """
    figure, _colon, state = target.partition(":")
    pairs = (pair.partition("=") for pair in state.split(",") if pair.strip())
    return nodes.make_id(figure), {name.strip(): value.strip() for name, _equals, value in pairs}


def check_state(spec: Spec, values: dict[str, str]) -> None:
    """Raises ValueError naming a knob that the figure does not have, or a value that the knob does not."""
    for name, value in values.items():
        if name not in spec["knobs"]:
            raise ValueError(f"there is no knob {name!r}; the knobs are {', '.join(spec['knobs'])}")
        check_value(name, spec["knobs"][name], value)


def read_data(path: Path, keys: list[str]) -> Any:
    """A figure's data: JSON with these keys and no number that is not finite. Raises ValueError."""
    def refuse(word: str) -> float:
        raise ValueError(f"{path.name}: numbers must be finite, not {word}")

    data = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    if missing := [key for key in keys if key not in data]:
        raise ValueError(f"{path.name} lacks {', '.join(missing)}")
    return data


class Interactive(SphinxDirective):
    """A figure."""

    required_arguments = 1
    option_spec = {"data": directives.unchanged_required, "name": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        figure = self.arguments[0]
        if not re.fullmatch(r"[a-z][a-z-]*", figure):
            raise self.error(f"interactive: {figure!r} is no name of a figure")
        declared = Path(self.env.srcdir) / FOLDER / f"{figure}.yml"
        self.env.note_dependency(str(declared))
        try:
            spec, data = read_spec(declared), None
            if "data" in self.options:
                relative, path = self.env.relfn2path(self.options["data"])
                self.env.note_dependency(relative)
                data = read_data(Path(path), spec.get("data", []))
        except (OSError, ValueError) as error:
            raise self.error(f"interactive {figure}: {error}") from None
        title = str(_(spec["title"]))
        knobs = {name: {**knob, "label": str(_(knob["label"])),
                        "names": {str(value): str(_(word)) for value, word in knob.get("names", {}).items()}}
                 for name, knob in spec["knobs"].items()}
        payload = json.dumps({"title": title, "knobs": knobs, "data": data}, ensure_ascii=False, separators=(",", ":"))
        node = interactive("", figure=figure, title=title, fallback=str(_(spec["fallback"])), knobs=spec["knobs"],
                           payload=payload.replace("</", "<\\/"), ids=[nodes.make_id(self.options.get("name", f"fig-{figure}"))])
        return [node]


class FigSet(ReferenceRole):
    """{figset}`text <figure: T=0.2, k=5>`: a button that sets the knobs; the others go to their start."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        figure, values = parse_state(self.target)
        node = figure_button(self.rawtext, self.title, figure=figure, values=values)
        self.set_source_info(node)
        return [node], []


class Reveal(SphinxDirective):
    """A question, and an answer that opens."""

    required_arguments, final_argument_whitespace, has_content = 1, True, True
    option_spec = {"name": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        self.assert_has_content()
        inline, messages = self.state.inline_text(self.arguments[0], self.lineno)
        question = reveal_question(self.arguments[0], "", *inline)
        answer = nodes.container(classes=["reveal-answer"])
        node = reveal("", question, answer)
        for one in (node, question):
            self.set_source_info(one)
        self.state.nested_parse(self.content, self.content_offset, answer)
        self.add_name(node)
        return [node, *messages]


def check_buttons(app: Sphinx, doctree: nodes.document) -> None:
    """Warn about a button whose figure is not on its page, or cannot show its state."""
    figures = {one["ids"][0]: one for one in doctree.findall(interactive)}
    for button in doctree.findall(figure_button):
        try:
            if button["figure"] not in figures:
                raise ValueError(f"this page has no figure {button['figure']!r}; it has {', '.join(figures) or 'none'}")
            check_state({"knobs": figures[button["figure"]]["knobs"]}, button["values"])
        except ValueError as error:
            log.warning("figset: %s", error, location=button, type="figset")


def add_files(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """The scripts and styles of the figures that a page has."""
    if doctree is None or app.builder.name == "epub":
        return
    figures = sorted({one["figure"] for one in doctree.findall(interactive)})
    if figures or next(iter(doctree.findall(reveal)), None):
        app.add_css_file("figures/figures.css")
    if figures:
        app.add_js_file("figures/lib.js")
    for name in figures:
        app.add_js_file(f"figures/{name}.js")
        if (Path(app.srcdir) / "book/_static/figures" / f"{name}.css").is_file():
            app.add_css_file(f"figures/{name}.css")


def html_figure(self: Any, node: interactive) -> None:
    fallback = f'<p class="fig-fallback">{escape(node["fallback"])}</p>'
    if self.builder.name == "epub":
        self.body.append(f'<div class="fig" id="{node["ids"][0]}"><p><strong>{escape(node["title"])}</strong></p>{fallback}</div>')
    else:
        self.body.append(
            f'<div class="fig fig-{node["figure"]}" id="{node["ids"][0]}" role="group" aria-label="{escape(node["title"])}">'
            f'<script type="application/json">{node["payload"]}</script>{fallback}</div>')
    raise nodes.SkipNode


def plain_figure(self: Any, node: interactive) -> None:
    raise nodes.SkipNode


def html_button(self: Any, node: figure_button) -> None:
    state = ",".join(f"{name}={value}" for name, value in node["values"].items())
    self.body.append("<em>" if self.builder.name == "epub" else
                     f'<button type="button" class="fig-set" data-fig="{escape(node["figure"])}" data-set="{escape(state)}">')


def html_button_end(self: Any, node: figure_button) -> None:
    self.body.append("</em>" if self.builder.name == "epub" else "</button>")


def html_reveal(self: Any, node: reveal) -> None:
    self.body.append(self.starttag(node, "div" if self.builder.name == "epub" else "details", CLASS="reveal"))


def html_reveal_end(self: Any, node: reveal) -> None:
    self.body.append("</div>" if self.builder.name == "epub" else "</details>")


def html_question(self: Any, node: reveal_question) -> None:
    self.body.append('<p class="reveal-question"><strong>' if self.builder.name == "epub" else "<summary>")


def html_question_end(self: Any, node: reveal_question) -> None:
    self.body.append("</strong></p>" if self.builder.name == "epub" else "</summary>")


def nothing(self: Any, node: nodes.Node) -> None:
    pass


def setup(app: Sphinx) -> dict[str, bool]:
    others = ("latex", "text", "man", "texinfo")
    app.add_node(interactive, html=(html_figure, None), **{name: (plain_figure, None) for name in others})
    for node, enter, leave in ((figure_button, html_button, html_button_end), (reveal, html_reveal, html_reveal_end),
                               (reveal_question, html_question, html_question_end)):
        app.add_node(node, html=(enter, leave), **{name: (nothing, nothing) for name in others})
    app.add_directive("interactive", Interactive)
    app.add_directive("reveal", Reveal)
    app.add_role("figset", FigSet())
    app.connect("doctree-read", check_buttons)
    app.connect("html-page-context", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

