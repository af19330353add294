"""The lecture ledger: every claim of the source lectures, whether it holds, and what shows it.

    ```{ledger}
    ```

renders all rows of book/ledger/*.yml, sorted by subject (subjects.yml). A row of partN*.yml has a verdict and must
name its evidence: numbers in results/*.json, tests of this repository, or literature. A row of to_come.yml has
neither, only the number of its subject. A row without evidence, evidence that does not exist, and a claim of ids.txt
without a row are warnings, so a failed build; tests/book asks the same. Each row gets the anchor `ledger-<id>`, so
{ref}`the ledger <ledger-0-10>` links to it.

It computes no number: benchmarks/ does. Where the evidence is shown is evidence.py, and what hides rows is
js/ledger.js: without JavaScript all of them stand there.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from i18n import _
from ledger_html import claim, controls, evidence
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

log = logging.getLogger(__name__)
Row = dict[str, Any]
VERDICTS = {"right": _("right"), "imprecise": _("imprecise"), "depends": _("depends"), "wrong": _("wrong")}
TO_COME = "to come"
SHOWN = {**VERDICTS, TO_COME: _("to come")}
"""Verdict -> what a reader sees."""
LECTURES = ("L11", "PI", "CH4", "IB", "CS10")
TEXTS = ("id", "source", "says", "verdict", "holds", "section")
EVIDENCE = ("results", "tests", "cite")
NUM = re.compile(r"\{num\}`([^:`]+)")
PART = re.compile(r"part(\d+)(?:_\w+)?")


def read(path: Path) -> list[Row]:
    """The rows of a ledger file. Raises ValueError if it is not a list of mappings."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path.name} must hold a list of rows")
    return rows


def everything(folder: Path) -> list[Row]:
    """All rows of a folder, in the order of its files; each knows its `part` and its `file`.

    Raises ValueError for a file whose name says no subject.
    """
    rows: list[Row] = []
    for path in sorted(folder.glob("*.yml")):
        if path.name == "subjects.yml":
            continue
        match = PART.fullmatch(path.stem)
        if match:
            rows += [{**row, "part": int(match[1]), "file": path.name} for row in read(path)]
        elif path.name == "to_come.yml":
            rows += [{**row, "verdict": TO_COME, "file": path.name} for row in read(path)]
        else:
            raise ValueError(f"{path.name} is neither partN.yml, partN_name.yml, subjects.yml nor to_come.yml")
    return rows


def problems(rows: list[Row], numbers: set[str], citations: set[str], root: Path) -> list[str]:
    """What is wrong with the rows, in words: missing fields, no evidence, evidence that does not exist.

    numbers: known keys "file.key" of results/; citations: known bibliography keys; root: the repository.

    >>> row = dict(id="x-1", source="L11", says="a", verdict="right", holds="b", section="sec-a", evidence={})
    >>> problems([row], set(), set(), Path("."))
    ['x-1: no evidence; name results, tests or cite']
    """
    found: list[str] = []
    for name, times in Counter(row.get("id") for row in rows).items():
        if times > 1:
            found.append(f"{name}: the id is used {times} times")
    for row in rows:
        name = row.get("id", "a row without id")
        if row.get("source") not in LECTURES:
            found.append(f"{name}: source {row.get('source')!r} is not one of {', '.join(LECTURES)}")
        if row.get("verdict") == TO_COME:
            found += [f"{name}: the field says is missing"] if not _text(row, "says") else []
            extra = {"holds", "evidence", "section"} & set(row)
            found += [f"{name}: a row to come has no {key}; move it to the file of its part" for key in sorted(extra)]
            continue
        found += [f"{name}: the field {key} is missing" for key in TEXTS if not _text(row, key)]
        if row.get("verdict") not in VERDICTS:
            found.append(f"{name}: verdict {row.get('verdict')!r} is not one of {', '.join(VERDICTS)}")
        found += [f"{name}: {problem}" for problem in _unfounded(row, numbers, citations, root)]
    return found


def _text(row: Row, key: str) -> bool:
    return isinstance(row.get(key), str) and bool(row[key].strip())


def _unfounded(row: Row, numbers: set[str], citations: set[str], root: Path) -> list[str]:
    """What is wrong with the evidence of one row."""
    shown = row.get("evidence") or {}
    unknown = set(shown) - set(EVIDENCE)
    found = [f"unknown kind of evidence {', '.join(sorted(unknown))}"] if unknown else []
    if not any(shown.get(kind) for kind in EVIDENCE):
        found.append("no evidence; name results, tests or cite")
    results = shown.get("results") or {}
    found += [f"no number {key!r} in results/" for key in results if key not in numbers]
    quoted = set(NUM.findall(row.get("holds") or ""))
    found += [f"the text quotes {key!r}, which its evidence does not name" for key in sorted(quoted - set(results))]
    found += [f"no entry {key!r} in references.bib" for key in shown.get("cite") or [] if key not in citations]
    found += [f"no test {test!r}" for test in shown.get("tests") or [] if not test_exists(root, test)]
    return found


def gaps(rows: list[Row], listed: list[str], subjects: list[Row]) -> list[str]:
    """Claims of the list without a row, rows that are not on the list, and rows of no subject."""
    there = {row.get("id") for row in rows}
    found = [f"claim {name} of ids.txt has no row" for name in listed if name not in there]
    found += [f"row {name} is not in ids.txt" for name in sorted(map(str, there - set(listed)))]
    known = {subject["part"] for subject in subjects}
    found += [
        f"{row.get('id')}: subjects.yml has no part {row.get('part')!r}" for row in rows if row.get("part") not in known
    ]
    return found


def test_exists(root: Path, test: str) -> bool:
    """Whether "tests/x/test_y.py::test_z" (a function, or Class::method) is defined in that file."""
    return find_test(root, test) is not None


def find_test(root: Path, test: str) -> ast.FunctionDef | ast.ClassDef | None:
    """The definition of a test, None if there is none."""
    file, *names = test.split("::")
    path = root / file
    if not path.is_file() or not names:
        return None
    scope: list[ast.stmt] = _parsed(path, path.stat().st_mtime_ns).body
    found = None
    for name in names:
        match = [n for n in scope if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name == name]
        if not match:
            return None
        found, scope = match[0], match[0].body
    return found


@cache
def _parsed(path: Path, changed: int) -> ast.Module:
    """The syntax tree of a file as it was at this time; many rows name tests of the same file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def bibliography(files: list[Path]) -> set[str]:
    """The keys of some .bib files."""
    return set(re.findall(r"^@\w+\{([^,\s]+),", "\n".join(f.read_text(encoding="utf-8") for f in files), re.M))


def anchor(kind: str, name: str) -> str:
    """An id for HTML, which is also the label that {ref} takes.

    >>> anchor("number", "decoding.ledger_0_10_p_rule")
    'number-decoding-ledger-0-10-p-rule'
    """
    return f"{kind}-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def number_format(value: Any) -> str:
    """How a number is shown where nobody says how: ":.4g" for a fraction, ":," for a whole number."""
    return (
        ":.4g"
        if isinstance(value, float) and not value.is_integer()
        else ":,.0f"
        if isinstance(value, (int, float))
        else ""
    )


def evidence_markdown(row: Row, values: dict[str, Any]) -> tuple[str, str]:
    """(summary, list) of a row's evidence; values: what the keys of results/ are."""
    shown = row["evidence"]
    results, tests, cite = (shown.get(kind) or [] for kind in EVIDENCE)
    lines = [
        f"- {what}: {{num}}`{key}{number_format(values[key])}` ({{ref}}`{key} <{anchor('number', key)}>`)"
        for key, what in dict(results).items()
    ]
    lines += [f"- {{ref}}`{test.rpartition('::')[2]} <{anchor('test', test)}>`" for test in tests]
    lines += [f"- {{cite:t}}`{key}`" for key in cite]
    counts = [(len(results), _("computed: {n}")), (len(tests), _("tests: {n}")), (len(cite), _("sources: {n}"))]
    return ", ".join(text.format(n=n) for n, text in counts if n), "\n".join(lines)


def fields(subjects: list[tuple[int, str]]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The selects of the filter: name, label, and (value, text) of each option."""
    every = ("", str(_("all")))
    return [
        ("verdict", str(_("Verdict")), [every, *((verdict, str(word)) for verdict, word in SHOWN.items())]),
        ("subject", str(_("Subject")), [every, *((str(part), title) for part, title in subjects)]),
        ("lecture", str(_("Lecture")), [every, *((name, name) for name in LECTURES)]),
    ]


class Ledger(SphinxDirective):
    """All rows, sorted by subject."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        folder = root / "book" / "ledger"
        for path in folder.iterdir():
            self.env.note_dependency(str(path))
        names, listing = folder / "subjects.yml", folder / "ids.txt"
        wrong = [f"there is no {path.name}" for path in (names, listing) if not path.is_file()]
        try:
            subjects, rows = [] if wrong else read(names), everything(folder)
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise self.error(f"ledger: {error}") from None
        bib = bibliography([root / f for f in self.config.bibtex_bibfiles])
        wrong += problems(rows, set(self.env.app.num_table), bib, root)
        wrong += [] if not subjects else gaps(rows, listing.read_text(encoding="utf-8").split(), subjects)
        for problem in wrong:
            log.warning("ledger: %s", problem, location=self.get_location(), type="ledger")
        if wrong:
            return []
        tally = Counter(row["verdict"] for row in rows)
        counts = ", ".join(f"{tally[verdict]} {word}" for verdict, word in SHOWN.items() if tally[verdict])
        summary = _("{n} claims: {counts}.").format(n=len(rows), counts=counts)
        titles = [(subject["part"], subject["title"]) for subject in subjects]
        made: list[nodes.Node] = [
            nodes.paragraph("", summary, classes=["ledger-tally"]),
            controls(fields=fields(titles)),
        ]
        for part, title in titles:
            made.append(self.subject(part, title, [row for row in rows if row["part"] == part], folder))
        return made

    def subject(self, part: int, title: str, rows: list[Row], folder: Path) -> nodes.section:
        section = nodes.section(
            ids=[f"ledger-subject-{part}"], names=[f"ledger-subject-{part}"], classes=["ledger-subject"]
        )
        self.state.document.note_explicit_target(section)
        heading = nodes.title(title, title)
        heading.source, heading.line = str(folder / "subjects.yml"), self.lineno
        section += heading
        contents = nodes.paragraph(classes=["ledger-contents"])
        for row in rows:
            name = row["id"]
            contents += [nodes.reference("", name, internal=True, refid=anchor("ledger", name)), nodes.Text(" ")]
        section += contents
        section += [self.row(row, str(folder / row["file"])) for row in rows]
        return section

    def row(self, row: Row, source: str) -> claim:
        here = anchor("ledger", row["id"])
        box = claim(ids=[here], names=[here], verdict=row["verdict"], lecture=row["source"], subject=row["part"])
        self.state.document.note_explicit_target(box)
        head = nodes.paragraph(classes=["ledger-head"])
        head += nodes.inline(
            "", str(SHOWN[row["verdict"]]), classes=["verdict", f"verdict-{row['verdict'].replace(' ', '-')}"]
        )
        head += nodes.reference("", row["id"], internal=True, refid=here, classes=["ledger-id"])
        head += nodes.inline("", _("{lecture} says:").format(lecture=row["source"]), classes=["ledger-source"])
        box += head
        self.parse(row["says"].strip(), source, box)
        if row["verdict"] == TO_COME:
            return box
        box += nodes.paragraph("", str(_("What holds:")), classes=["ledger-label"])
        read_on = _("Read {section}.").format(section=f"{{ref}}`{row['section']}`")
        self.parse(f"{row['holds'].strip()} {read_on}", source, box)
        values = {key: value for key, (value, _origin, _path) in self.env.app.num_table.items()}
        summary, listed = evidence_markdown(row, values)
        folded = evidence(summary=_("Evidence ({counts})").format(counts=summary))
        self.parse(listed, source, folded)
        box += folded
        return box

    def parse(self, text: str, source: str, into: nodes.Element) -> None:
        self.state.nested_parse(StringList(text.splitlines(), source), self.content_offset, into)


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("ledger_html")
    app.add_directive("ledger", Ledger)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
