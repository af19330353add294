"""The page of evidence behind the ledger: what each number is and where it comes from, and what each test says.

    ```{evidence-numbers}
    ```
    ```{evidence-tests}
    ```

The first makes a section for each file of results/ that a row of the ledger names: the command, the date and the
machine, then a table of the numbers. The second lists the tests by file, each with what its docstring says and the
command that runs it. Every entry has an anchor (`number-...`, `test-...`) that the ledger links to, and links back to
the claims. The code of a test is not shown: an oracle may be somebody's homework.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from i18n import _
from ledger import anchor, everything, find_test, number_format
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def by_file(rows: list[dict[str, Any]]) -> dict[str, dict[str, tuple[str, list[str]]]]:
    """{file of results: {key: (what it is, the claims that use it)}}, files and keys in order.

    >>> by_file([{"id": "0-01", "evidence": {"results": {"cost.a": "what", "cost.b": "that"}}}, {"id": "0-02"}])
    {'cost': {'cost.a': ('what', ['0-01']), 'cost.b': ('that', ['0-01'])}}
    """
    found: dict[str, dict[str, tuple[str, list[str]]]] = {}
    for row in rows:
        for key, what in ((row.get("evidence") or {}).get("results") or {}).items():
            _what, claims = found.setdefault(key.partition(".")[0], {}).setdefault(key, (what, []))
            claims.append(row["id"])
    return {file: dict(sorted(keys.items())) for file, keys in sorted(found.items())}


def tests_of(rows: list[dict[str, Any]]) -> dict[str, dict[str, list[str]]]:
    """{test file: {test: the claims that use it}}."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for test in (row.get("evidence") or {}).get("tests") or []:
            found.setdefault(test.partition("::")[0], {}).setdefault(test, []).append(row["id"])
    return {file: dict(sorted(tests.items())) for file, tests in sorted(found.items())}


def in_words(test: str) -> str:
    """What the name of a test says.

    >>> in_words("tests/results/test_cost.py::test_a_layer_and_its_square")
    'a layer and its square'
    """
    return test.rpartition("::")[2].removeprefix("test_").replace("_", " ")


def claims_text(claims: list[str]) -> str:
    return ", ".join(f"{{ref}}`{name} <{anchor('ledger', name)}>`" for name in claims)


class _Evidence(SphinxDirective):
    """What both directives share: the rows, and sections."""

    def rows(self) -> list[dict[str, Any]]:
        folder = Path(self.env.srcdir) / "book" / "ledger"
        for path in folder.glob("*.yml"):
            self.env.note_dependency(str(path))
        return everything(folder)

    def section(self, name: str, title: str) -> nodes.section:
        made = nodes.section(ids=[name], names=[name])
        self.state.document.note_explicit_target(made)
        made += nodes.title("", "", nodes.literal("", title))
        return made

    def parse(self, text: str, into: nodes.Element) -> nodes.Element:
        self.state.nested_parse(StringList(text.splitlines(), self.get_source_info()[0]), self.content_offset, into)
        return into

    def target(self, name: str, node: nodes.Element) -> nodes.Element:
        node["ids"].append(name)
        node["names"].append(name)
        self.state.document.note_explicit_target(node)
        return node


class Numbers(_Evidence):
    """The numbers of the ledger by file."""

    def run(self) -> list[nodes.Node]:
        table = self.env.app.num_table
        made: list[nodes.Node] = []
        for file, keys in by_file(self.rows()).items():
            path = Path(self.env.srcdir) / "results" / f"{file}.json"
            self.env.note_dependency(str(path))
            origin = json.loads(path.read_text(encoding="utf-8"))["origin"]
            section = self.section(anchor("results", file), f"results/{file}.json")
            told = _("Written by `{command}` on {date}, {machine}.").format(**origin)
            self.parse(told, section)
            section += self.table(keys, table)
            made.append(section)
        return made

    def table(self, keys: dict[str, tuple[str, list[str]]], values: dict[str, Any]) -> nodes.table:
        made = nodes.table(classes=["evidence-numbers"])
        group = nodes.tgroup(cols=4)
        made += group
        group += [nodes.colspec(colwidth=width) for width in (30, 12, 44, 14)]
        heads = [
            nodes.entry("", nodes.paragraph("", str(text)))
            for text in (_("number"), _("value"), _("what it is"), _("claims"))
        ]
        group += nodes.thead("", nodes.row("", *heads))
        body = nodes.tbody()
        group += body
        for key, (what, claims) in keys.items():
            value = values[key][0]
            shown = format(value, number_format(value).removeprefix(":")).replace("-", "\N{MINUS SIGN}")
            name = self.target(anchor("number", key), nodes.paragraph("", "", nodes.literal("", key.partition(".")[2])))
            body += nodes.row(
                "",
                nodes.entry("", name),
                nodes.entry("", nodes.paragraph("", shown)),
                self.parse(what, nodes.entry()),
                self.parse(claims_text(claims), nodes.entry()),
            )
        return made


class Tests(_Evidence):
    """The tests of the ledger by file."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        made: list[nodes.Node] = []
        for file, tests in tests_of(self.rows()).items():
            self.env.note_dependency(str(root / file))
            section = self.section(anchor("tests", file), file)
            about = ast.get_docstring(ast.parse((root / file).read_text(encoding="utf-8")))
            section += plain(about.partition("\n\n")[0]) if about else []
            for test, claims in tests.items():
                box = self.target(anchor("test", test), nodes.container(classes=["evidence-test"]))
                found = find_test(root, test)
                said = ast.get_docstring(found) if found else None
                head = nodes.paragraph("", "", nodes.strong("", in_words(test)))
                head += nodes.Text(". " + " ".join(said.partition("\n\n")[0].split()) if said else ".")
                box += head
                self.parse(
                    _("Run `pytest {test}`. Claims: {claims}.").format(test=test, claims=claims_text(claims)), box
                )
                section += box
            made.append(section)
        return made


def plain(text: str) -> nodes.paragraph:
    """A paragraph without any markup, on one line."""
    return nodes.paragraph("", " ".join(text.split()))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("evidence-numbers", Numbers)
    app.add_directive("evidence-tests", Tests)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
