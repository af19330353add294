"""The lecture ledger: claims of the source lectures, whether they hold, and what shows it.

    ```{ledger} ledger/part6.yml
    ```

A YAML file holds one row per claim (the fields are below; docs/book.md shows a row). Every row must name
its evidence: numbers in results/*.json, tests of this repository, or literature. A row without it, or
whose evidence does not exist, is a warning, so a failed build; tests/book asks the same. Each row gets
the anchor `ledger-<id>`, so {ref}`the ledger <ledger-0-10>` links to it. It does not compute the numbers:
benchmarks/ does.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

log = logging.getLogger(__name__)
VERDICTS = {"right": "success", "imprecise": "warning", "depends": "info", "wrong": "danger"}
TEXTS = ("id", "source", "says", "verdict", "holds", "section")
EVIDENCE = ("results", "tests", "cite")
NUM = re.compile(r"\{num\}`([^:`]+)")


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a ledger file. Raises ValueError if it is not a list of mappings."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path.name} must hold a list of rows")
    return rows


def problems(rows: list[dict[str, Any]], numbers: set[str], citations: set[str], root: Path) -> list[str]:
    """What is wrong with the rows, in words: missing fields, no evidence, evidence that does not exist.

    numbers: known keys "file.key" of results/; citations: known bibliography keys; root: the repository.

    >>> row = dict(id="x-1", source="s", says="a", verdict="right", holds="b", section="sec-a", evidence={})
    >>> problems([row], set(), set(), Path("."))
    ['x-1: no evidence; name results, tests or cite']
    """
    found: list[str] = []
    for name, times in Counter(row.get("id") for row in rows).items():
        if times > 1:
            found.append(f"{name}: the id is used {times} times")
    for row in rows:
        name = row.get("id", "a row without id")
        for key in TEXTS:
            if not isinstance(row.get(key), str) or not row[key].strip():
                found.append(f"{name}: the field {key} is missing")
        if row.get("verdict") not in VERDICTS:
            found.append(f"{name}: verdict {row.get('verdict')!r} is not one of {', '.join(VERDICTS)}")
        evidence = row.get("evidence") or {}
        unknown = set(evidence) - set(EVIDENCE)
        if unknown:
            found.append(f"{name}: unknown kind of evidence {', '.join(sorted(unknown))}")
        if not any(evidence.get(kind) for kind in EVIDENCE):
            found.append(f"{name}: no evidence; name results, tests or cite")
        results = evidence.get("results") or {}
        quoted = set(NUM.findall(row.get("holds") or ""))
        found += [f"{name}: no number {key!r} in results/" for key in results if key not in numbers]
        found += [
            f"{name}: the text quotes {key!r}, which its evidence does not name"
            for key in quoted - set(results)
        ]
        found += [
            f"{name}: no entry {key!r} in references.bib"
            for key in evidence.get("cite") or []
            if key not in citations
        ]
        found += [
            f"{name}: no test {test!r}" for test in evidence.get("tests") or [] if not test_exists(root, test)
        ]
    return found


def test_exists(root: Path, test: str) -> bool:
    """Whether "tests/x/test_y.py::test_z" (a function, or Class::method) is defined in that file."""
    file, *names = test.split("::")
    path = root / file
    if not path.is_file() or not names:
        return False
    scope: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for name in names:
        match = [n for n in scope if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name == name]
        if not match:
            return False
        scope = match[0].body
    return True


def bibliography(files: list[Path]) -> set[str]:
    """The keys of some .bib files."""
    return set(
        re.findall(r"^@\w+\{([^,\s]+),", "\n".join(f.read_text(encoding="utf-8") for f in files), re.M)
    )


def markdown(row: dict[str, Any]) -> str:
    """One row as MyST text."""
    evidence = row["evidence"]
    shown = [f"`{key}`: {what}" for key, what in (evidence.get("results") or {}).items()]
    shown += [f"`{test}`" for test in evidence.get("tests") or []]
    shown += [f"{{cite:t}}`{key}`" for key in evidence.get("cite") or []]
    return "\n\n".join(
        [
            f"{{bdg-{VERDICTS[row['verdict']]}}}`{row['verdict']}` **{row['id']}** ({row['source']}): "
            + row["says"].strip(),
            f"**What holds.** {row['holds'].strip()} Read {{ref}}`{row['section']}`.",
            "*Evidence:* " + "; ".join(shown) + ".",
        ]
    )


class Ledger(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        relative, name = self.env.relfn2path(self.arguments[0])
        path = Path(name)
        self.env.note_dependency(relative)
        try:
            rows = read(path)
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise self.error(f"ledger: {error}") from None
        root = Path(self.env.srcdir)
        bib = bibliography([root / f for f in self.config.bibtex_bibfiles])
        wrong = problems(rows, set(self.env.app.num_table), bib, root)
        for problem in wrong:
            log.warning("ledger %s: %s", path.name, problem, location=self.get_location(), type="ledger")
        if wrong:
            return []
        tally = Counter(row["verdict"] for row in rows)
        summary = f"{len(rows)} claims: " + ", ".join(f"{tally[v]} {v}" for v in VERDICTS if tally[v]) + "."
        return [nodes.paragraph("", summary), *(self.row(row, str(path)) for row in rows)]

    def row(self, row: dict[str, Any], source: str) -> nodes.container:
        anchor = nodes.make_id(f"ledger-{row['id']}")
        box = nodes.container(ids=[anchor], names=[anchor], classes=["ledger-row"])
        self.state.document.note_explicit_target(box)
        self.state.nested_parse(StringList(markdown(row).splitlines(), source), self.content_offset, box)
        return box


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("ledger", Ledger)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
