"""Tables and transcripts from results/*.json, with the sentence that says where they come from.

    ```{results-table} adversarial.forging
    :columns: attack, outcome
    :caption: What was tried
    ```
    ```{results-text} killed_and_resumed
    ```

A results file may hold `"tables": {name: {"columns": [...], "rows": [[...], ...]}}` beside its values; a transcript is the
file `NAME.txt` beside `NAME.json`. An unknown name, or a row of another length than the columns, fails the build. Cells are plain text. It computes
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from num import ResultsError, read_results
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

log = logging.getLogger(__name__)


def table(folder: Path, name: str) -> tuple[dict[str, Any], str, Path]:
    """The table `file.name`, its origin, and its file. Raises ResultsError."""
    file, _, key = name.partition(".")
    path = folder / f"{file}.json"
    origin = read_results(path)[1]
    there = json.loads(path.read_text(encoding="utf-8")).get("tables", {})
    if key not in there:
        raise ResultsError(f"no table {key!r} in {path.name} (known there: {', '.join(sorted(there)) or 'none'})")
    return there[key], origin, path


def text(folder: Path, name: str) -> tuple[str, str, Path]:
    """The transcript `name`, its origin, and its file. Raises ResultsError."""
    path = folder / f"{name}.txt"
    origin = read_results(path.with_suffix(".json"))[1]
    try:
        return path.read_text(encoding="utf-8").strip(), origin, path
    except (OSError, ValueError) as error:
        raise ResultsError(f"transcript {path.name} cannot be read: {error}") from None


def chosen(table: dict[str, Any], columns: list[str]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of these columns (all if none is named). Raises ResultsError.

    >>> chosen({"columns": ["a", "b"], "rows": [[1, 2], [3, 4]]}, ["b"])
    (['b'], [['2'], ['4']])
    """
    heads = list(table["columns"])
    unknown = [name for name in columns if name not in heads]
    if unknown:
        raise ResultsError(f"there is no column {unknown[0]!r}; there are {', '.join(heads)}")
    if any(len(row) != len(heads) for row in table["rows"]):
        raise ResultsError("a row has another number of cells than there are columns")
    at = [heads.index(name) for name in columns or heads]
    return [heads[i] for i in at], [[str(row[i]) for i in at] for row in table["rows"]]


class _FromResults(SphinxDirective):
    required_arguments = 1

    def look(self, reader: Callable[[Path, str], tuple[Any, str, Path]]) -> tuple[Any, str]:
        thing, origin, path = reader(Path(self.env.srcdir) / "results", self.arguments[0])
        self.env.note_dependency(str(path))
        return thing, origin

    def failed(self, error: ResultsError) -> list[nodes.Node]:
        log.warning("%s", error, location=self.get_location(), type="results")
        return []


class ResultsTable(_FromResults):
    """A table of results."""

    option_spec = {"columns": directives.unchanged, "caption": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        try:
            made_of, origin = self.look(table)
            wanted = [name.strip() for name in self.options.get("columns", "").split(",") if name.strip()]
            heads, rows = chosen(made_of, wanted)
        except ResultsError as error:
            return self.failed(error)
        made = nodes.table(classes=["results"])
        made += nodes.title("", self.options.get("caption", origin))
        group = nodes.tgroup(cols=len(heads))
        made += group
        widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
        group += [nodes.colspec(colwidth=min(60, max(6, width))) for width in widths]
        group += nodes.thead("", _row(heads))
        group += nodes.tbody("", *map(_row, rows))
        return [made]


class ResultsText(_FromResults):
    """A transcript."""

    def run(self) -> list[nodes.Node]:
        try:
            said, origin = self.look(text)
        except ResultsError as error:
            return self.failed(error)
        return [nodes.literal_block(said, said, language="text"), nodes.paragraph("", origin + ".", classes=["results-origin"])]


def _row(cells: list[str]) -> nodes.row:
    return nodes.row("", *[nodes.entry("", nodes.paragraph("", cell)) for cell in cells])


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("results-table", ResultsTable)
    app.add_directive("results-text", ResultsText)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
