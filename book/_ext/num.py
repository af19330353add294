"""The role {num}`file.key:format`: a measured number from results/*.json in prose, showing where it comes
from.

    {num}`decoding.entropy_t1:.2f`  ->  1.35, with "Measured by `python ...` on 2026-11-21" as tooltip

A results file is {"origin": {"command", "date", "machine", ...}, "values": {key: number or string}}. An
unknown key, a bad format or a file without its origin is a warning, so `-W` fails the build; a page is
read again when a results file changes. The keys each page uses are written to `_build/num_used.json`. The
number is a node class of its own, so translations (gettext) and other builders see plain text. It does
not compute anything: the scripts in benchmarks/ write the files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from i18n import ENGLISH, _
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

log = logging.getLogger(__name__)
ORIGIN = ("command", "date", "machine")
Value = int | float | str


class ResultsError(ValueError):
    """A results file or a reference to it cannot be used; the message says which and why."""


class number(nodes.Inline, nodes.TextElement):
    """A number in running text. Attributes: `key` ("file.name") and `origin` (a sentence)."""


def read_results(path: Path) -> tuple[dict[str, Value], str]:
    """The values of one results file and its origin as a sentence. Raises ResultsError naming what lacks."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(f"results file {path.name} cannot be read: {error}") from None
    origin = data.get("origin") if isinstance(data, dict) else None
    missing = [k for k in ORIGIN if not isinstance(origin, dict) or not origin.get(k)]
    if missing:
        raise ResultsError(
            f"results file {path.name} has no origin.{', origin.'.join(missing)}; run `make results`"
        )
    values = data.get("values")
    if not isinstance(values, dict):
        raise ResultsError(f"results file {path.name} has no 'values' object; run `make results`")
    wrong = sorted(k for k, v in values.items() if isinstance(v, bool) or not isinstance(v, Value))
    if wrong:
        raise ResultsError(
            f"results file {path.name}: values must be numbers or strings, but {', '.join(wrong)} is not"
        )
    return values, _("Measured by “{command}” on {date}, {machine}").format(**{key: origin[key] for key in ORIGIN})


def load_results(folder: Path) -> tuple[dict[str, tuple[Value, str, Path]], list[str]]:
    """All numbers of a folder as {"file.key": (value, origin, path)}, and what was wrong with other files."""
    table: dict[str, tuple[Value, str, Path]] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.json")):
        try:
            values, origin = read_results(path)
        except ResultsError as error:
            problems.append(str(error))
            continue
        table.update({f"{path.stem}.{key}": (value, origin, path) for key, value in values.items()})
    return table, problems


def render(table: dict[str, tuple[Value, str, Path]], text: str) -> tuple[str, str, str, Path]:
    """Text of a reference "file.key" or "file.key:format" with its key, origin and file.

    Raises ResultsError for an unknown key (naming close ones) or a format that does not fit.

    >>> render({"a.x": (0.25, "Measured by me", Path("a.json"))}, "a.x:.0%")[:3]
    ('25%', 'a.x', 'Measured by me')
    """
    key, _, spec = text.strip().partition(":")
    if key not in table:
        near = sorted(k for k in table if k.split(".")[0] == key.split(".")[0])[:8]
        hint = f"known there: {', '.join(near)}" if near else "there is no such results file"
        raise ResultsError(f"no number {key!r} in results/ ({hint})")
    value, origin, path = table[key]
    try:
        shown = format(value, spec)
    except ValueError as error:
        raise ResultsError(f"number {key!r} = {value!r} does not fit the format {spec!r}: {error}") from None
    return (
        shown.replace("-", "\N{MINUS SIGN}") if isinstance(value, (int, float)) else shown,
        key,
        origin,
        path,
    )


class NumRole(SphinxRole):
    """{num}`file.key:format`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            shown, key, origin, path = render(self.env.app.num_table, self.text)
        except ResultsError as error:
            log.warning("%s", error, location=self.get_location(), type="num")
            return [nodes.problematic(self.rawtext, self.rawtext)], []
        self.env.note_dependency(str(path))
        used(self.env).setdefault(self.env.docname, set()).add(key)
        return [number(self.rawtext, shown, key=key, origin=origin)], []


def used(env: BuildEnvironment) -> dict[str, set[str]]:
    """Keys used, by document name; kept with the environment."""
    if not hasattr(env, "num_used"):
        env.num_used = {}
    return env.num_used


def load(app: Sphinx) -> None:
    app.num_table, problems = load_results(Path(app.srcdir) / "results")
    for problem in problems:
        log.warning("%s", problem, type="num")


def purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    used(env).pop(docname, None)


def merge(app: Sphinx, env: BuildEnvironment, docnames: set[str], other: BuildEnvironment) -> None:
    used(env).update({d: k for d, k in used(other).items() if d in docnames})


def write_used(app: Sphinx, error: Exception | None) -> None:
    """{"file.key": [documents]} beside the HTML, for tests and for whoever asks what a number is used for."""
    if app.builder.name != "html" or app.config.language != ENGLISH:
        return  # other formats and translations use the numbers of the English pages
    table: dict[str, list[str]] = {}
    for doc, keys in used(app.env).items():
        for key in keys:
            table.setdefault(key, []).append(doc)
    text = json.dumps({k: sorted(v) for k, v in sorted(table.items())}, indent=1)
    (Path(app.outdir).parent / "num_used.json").write_text(text + "\n", encoding="utf-8")


def visit_html(self: Any, node: number) -> None:
    self.body.append(
        self.starttag(
            node,
            "span",
            "",
            CLASS="num",
            tabindex="0",
            **{"data-key": node["key"], "data-origin": node["origin"]},
        )
    )


def depart_html(self: Any, node: number) -> None:
    self.body.append("</span>")


def nothing(self: Any, node: number) -> None:
    """Other builders print the text alone."""


def setup(app: Sphinx) -> dict[str, bool | str]:
    plain = (nothing, nothing)
    app.add_node(number, html=(visit_html, depart_html), latex=plain, text=plain, man=plain, texinfo=plain)
    app.add_role("num", NumRole())
    app.connect("builder-inited", load)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("build-finished", write_used)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
