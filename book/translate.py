"""Keeps the translations of the book: takes the strings out of it, brings the catalogues up to date, and reports what is missing.

    python book/translate.py update     # after the English text changed, or to begin a page
    ... translate in book/_locale/zh_CN/LC_MESSAGES/*.po ...
    python book/translate.py check      # what is untranslated, fuzzy or inconsistent; exit status 1 if anything is

A language is a folder book/_locale/<code> whose toc.yml lists its pages (docs/translating.md). Strings come from those pages, through
Sphinx's gettext builder, and, into the catalogue `llmlab`, from all extensions, scripts and figure declarations, and from the checks
and plots that those pages show. It runs no cell and does not build the pages; `python book/build.py` does.
"""

from __future__ import annotations

import argparse
import ast
import io
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "book" / "_ext"))
DOMAIN, LOCALES = "llmlab", "book/_locale"
TEMPLATES = {"parse_template_string": True}
"""Strings to translate also stand inside `${...}` of a script."""
MARKS = ("_", "N_")
"""Functions whose first argument is a string to translate, in Python and in scripts."""
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n---\n(.*?)^---\n", re.M | re.S)
TASK = re.compile(r"^```\{task\} *(\S+)", re.M)
ROLE = re.compile(r"\{(num|ref|eq|doc|numref|cite:\w+)\}`(?:[^`<]*<([^`>]*)>|([^`]*))`")
BUTTON = re.compile(r"\{figset\}`[^`<]*<([^`>]*)>`")
FORMULA = re.compile(r"\$[^$]+\$")
CODE_SPAN = re.compile(r"(?<![}`])`([^`]+)`(?!`)")
FIELD = re.compile(r"\{\w+\}(?!`)")


@contextmanager
def same_environment() -> Iterator[None]:
    """The extensions set variables for the chapters' kernels; they are taken back afterwards."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def sphinx_messages(root: Path, toc: Path) -> dict[str, Catalog]:
    """{page: its messages} of the pages in a table of contents, as Sphinx's gettext builder finds them. Cells do not run.

    Its warnings are not shown: pages that are not translated are missing here, and a build reports the others."""
    from jupyter_book.config import get_final_config
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    overrides = {
        "latex_individualpages": False,
        "external_toc_path": str(toc),
        "external_toc_exclude_missing": True,
        "nb_execution_mode": "off",
    }
    config, _meta = get_final_config(user_yaml=root / "_config.yml", cli_config=overrides, sourcedir=root)
    with tempfile.TemporaryDirectory() as folder, same_environment(), patch_docutils(), docutils_namespace():
        out = Path(folder) / "gettext" / "pot"
        app = Sphinx(root, None, out, Path(folder) / "doctrees", "gettext", config, status=None, warning=io.StringIO(), freshenv=True)
        app.build(force_all=True)
        pages, there = sorted(app.env.found_docs), captions(toc)
        found = {page: template(page) for page in pages}
        for page in pages:
            pot = out / f"{page}.pot"
            if pot.is_file():
                with pot.open("rb") as file:
                    for message in read_po(file):
                        if message.id and not neutral(str(message.id)) and message.id not in there:
                            lines = sorted({line for _name, line in message.locations})
                            found[page].add(message.id, locations=[(f"{page}.md", line) for line in lines])
    return found


def neutral(text: str) -> bool:
    """Whether a string is the same in every language: measured numbers, formulas, code and digits alone.

    >>> neutral("{num}`sampling.repeat_t08:.0%` at $T = 0.8$"), neutral("{num}`a.x` of $T$"), neutral("{num}`a.x`"), neutral("1.41")
    (False, False, True, True)
    """
    return not re.search(r"[^\W\d_]", CODE_SPAN.sub("", FORMULA.sub("", ROLE.sub("", text))))


def captions(toc: Path) -> set[str]:
    """The captions in a table of contents of an edition: they are in its language already."""
    return {part.get("caption", "") for part in yaml.safe_load(toc.read_text(encoding="utf-8")).get("parts", ())}


def template(name: str) -> Catalog:
    """An empty catalogue with the project's header."""
    comment = f"# {name}: strings of the llmlab book. Keep them with `python book/translate.py` (docs/translating.md)."
    return Catalog(domain=name, project="llmlab", version="1", header_comment=comment, copyright_holder="The llmlab authors",
                   msgid_bugs_address="", last_translator="The llmlab authors", language_team="")


def python_strings(text: str) -> Iterator[tuple[int, str]]:
    """(line, string) of what a module passes to `_` as a literal. (Babel's own reader also takes the key in `_(spec["title"])`.)

    >>> list(python_strings('a = _("one " "two")\\n_(spec["title"])'))
    [(1, 'one two')]
    """
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(value)), *_rest]) if name in MARKS:
                yield node.lineno, value


def script_strings(path: Path) -> Iterator[tuple[int, str]]:
    """(line, string) of what a script passes to `_`, also as `llmlab._`."""
    for line, message, _comments, _context in extract_from_file("javascript", path, keywords=dict.fromkeys(MARKS), options=TEMPLATES):
        yield line, str(message)


def figure_strings(path: Path) -> Iterator[str]:
    """What a reader sees of a figure's declaration: title, fallback, and the knobs' labels and names of values."""
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    yield from (spec["title"], spec["fallback"])
    for knob in (spec.get("knobs") or {}).values():
        yield knob["label"]
        yield from map(str, (knob.get("names") or {}).values())


def page_strings(text: str) -> Iterator[str]:
    """What a page shows that Sphinx does not see in its source: alt texts and captions of plots, and its tasks.

    >>> list(page_strings("```{code-cell} python\\n---\\nmystnb:\\n  image:\\n    alt: A line rises.\\n---\\nplot()\\n```\\n"))
    ['A line rises.']
    """
    for options in CELL.findall(text):
        shown = (yaml.safe_load(options) or {}).get("mystnb") or {}
        yield from filter(None, ((shown.get("image") or {}).get("alt"), (shown.get("figure") or {}).get("caption")))
    tasks = TASK.findall(text)
    if tasks:
        from llmlab.checks import registry

        for name in tasks:
            task = registry.tasks(name)[0]
            yield from (task.title, *task.groups)


def own_messages(root: Path, pages: list[str]) -> Catalog:
    """The messages of the domain `llmlab`."""
    found = template(DOMAIN)
    for path in sorted((root / "book/_ext").glob("*.py")):
        for line, message in sorted(python_strings(path.read_text(encoding="utf-8"))):
            found.add(message, locations=[(path.relative_to(root).as_posix(), line)])
    for path in sorted((root / "book/_static").rglob("*.js")):
        for line, message in script_strings(path):
            found.add(message, locations=[(path.relative_to(root).as_posix(), line)])
    for path in sorted((root / "book/_figures").glob("*.yml")):
        for message in figure_strings(path):
            found.add(message, locations=[(path.relative_to(root).as_posix(), 1)])
    for page in pages:
        source = root / f"{page}.md"
        for message in page_strings(source.read_text(encoding="utf-8")):
            found.add(message, locations=[(f"{page}.md", 1)])
    return found


def extract(root: Path, code: str) -> dict[str, Catalog]:
    """{domain: messages} of everything that the edition `code` shows: one domain per page, and `llmlab`."""
    toc = root / LOCALES / code / "toc.yml"
    if not toc.is_file():
        known = ", ".join(sorted(p.parent.name for p in (root / LOCALES).glob("*/toc.yml"))) or "none"
        raise SystemExit(f"There is no {toc.relative_to(root)}. Write one with the pages to translate. Languages there are: {known}.")
    found = sphinx_messages(root, toc)
    return {**found, DOMAIN: own_messages(root, sorted(found))}


def catalogue(root: Path, code: str, domain: str) -> Path:
    """The file of one domain's translations."""
    return root / LOCALES / code / "LC_MESSAGES" / f"{domain}.po"


def read(path: Path, code: str) -> Catalog | None:
    """A catalogue, or None if the file does not exist."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return read_po(file, locale=code)


def render(catalog: Catalog) -> bytes:
    """The text of a .po file: places by file alone, so that it changes only when strings do."""
    out = io.BytesIO()
    write_po(out, catalog, width=120, include_lineno=False, ignore_obsolete=True)
    return b"\n".join(line for line in out.getvalue().split(b"\n") if not line.startswith((b'"POT-Creation', b'"PO-Revision'))) + b""


def update(root: Path, code: str, console: Console) -> None:
    """Bring every catalogue of a language up to date: new strings enter empty, changed ones fuzzy with the old translation."""
    wanted = extract(root, code)
    for domain, messages in wanted.items():
        path = catalogue(root, code, domain)
        old = read(path, code)
        now = old if old is not None else Catalog(locale=code)
        now.update(messages)
        now.project, now.version, now.header_comment = messages.project, messages.version, messages.header_comment
        now.last_translator, now.language_team, now.msgid_bugs_address = messages.last_translator, "", ""
        now.copyright_holder, now.fuzzy = messages.copyright_holder, False
        text = render(now)
        if old is None or path.read_bytes() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        empty, fuzzy = (sum(1 for m in now if m.id and test(m)) for test in (lambda m: not m.string, lambda m: m.fuzzy))
        console.print(f"{path.relative_to(root)}: {len(messages)} strings, {empty} to translate, {fuzzy} fuzzy", highlight=False)
    for path in sorted((root / LOCALES / code / "LC_MESSAGES").rglob("*.po")):
        domain = path.relative_to(root / LOCALES / code / "LC_MESSAGES").with_suffix("").as_posix()
        if domain not in wanted and domain != "sphinx":
            console.print(f"{path.relative_to(root)}: no page of toc.yml has this name; remove it if it was dropped", highlight=False)


def placeholders(text: str) -> tuple[Counter[str], set[str]]:
    """What a translation must keep: roles with their targets, buttons' states and {fields}, as often; formulas and code, at all.

    >>> placeholders("At {num}`a.x:.2f` of $T$, see {ref}`row 1 <l-1>` and `top_p`")
    (Counter({'num a.x:.2f': 1, 'ref l-1': 1}), {'$T$', 'top_p'})
    """
    often = Counter(f"{role} {target or alone}" for role, target, alone in ROLE.findall(text))
    often.update(re.sub(r"\s+", "", state) for state in BUTTON.findall(text))
    rest = BUTTON.sub("", ROLE.sub("", text))
    formulas = set(FORMULA.findall(rest))
    rest = FORMULA.sub("", rest)
    often.update(FIELD.findall(rest))
    return often, {re.sub(r"\s+", " ", item) for item in formulas | set(CODE_SPAN.findall(rest))}


def inconsistent(message: Message) -> str:
    """What differs between a string and its translation that must not; "" if nothing does."""
    (often, there), (often2, there2) = placeholders(str(message.id)), placeholders(str(message.string))
    lost, added = [*(often - often2), *sorted(there - there2)], [*(often2 - often), *sorted(there2 - there)]
    words = [f"lost {', '.join(lost)}" if lost else "", f"added {', '.join(added)}" if added else ""]
    return "; ".join(filter(None, words))


@dataclass
class Report:
    """What `check` found out about one domain; `problems` has a line for each string to look at."""

    domain: str
    strings: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, kind: str, message: Message, why: str = "") -> None:
        name, line = message.locations[0] if message.locations else (self.domain, 0)
        text = re.sub(r"\s+", " ", str(message.id))
        self.counts[kind] += 1
        self.problems.append(f"{name}:{line}: {kind}{f' ({why})' if why else ''}: {text[:90]}{'…' if len(text) > 90 else ''}")


def compare(domain: str, wanted: Catalog, there: Catalog | None) -> Report:
    """Hold a catalogue against the strings that the book has now."""
    report = Report(domain, len(wanted))
    for message in (m for m in wanted if m.id):
        mine = there.get(message.id) if there is not None else None
        if mine is None or not mine.string:
            report.add("untranslated", message)
        elif mine.fuzzy:
            report.add("fuzzy", message)
        elif why := inconsistent(mine):
            report.add("inconsistent", message, why)
    for message in (m for m in there or () if m.id and wanted.get(m.id) is None):
        report.add("no longer in the book", message)
    return report


def check(root: Path, code: str) -> list[Report]:
    """A report for every domain of a language."""
    return [compare(domain, messages, read(catalogue(root, code, domain), code)) for domain, messages in extract(root, code).items()]


def show(reports: list[Report], code: str, console: Console) -> int:
    """Print the reports; exit status 0 if there is nothing to do, else 1."""
    kinds = ("untranslated", "fuzzy", "inconsistent", "no longer in the book")
    table = Table("page", "strings", *kinds)
    for report in reports:
        table.add_row(report.domain, str(report.strings), *(str(report.counts[kind] or "") for kind in kinds))
    console.print(table)
    problems = [line for report in reports for line in report.problems]
    for line in problems:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if problems:
        console.print(f"{len(problems)} strings to look at in {LOCALES}/{code}. New or changed ones: run `python book/translate.py update` first.")
    return 1 if problems else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("extract", "update", "check"), help="extract: write templates (.pot) into _build/gettext "
                        "for other tools; update: bring the .po files up to date; check: report, and fail if anything is left")
    parser.add_argument("--language", default="zh_CN", metavar="CODE", help="the language, a folder of book/_locale (zh_CN)")
    options = parser.parse_args(arguments)
    console = Console()
    if options.command == "extract":
        for domain, messages in extract(ROOT, options.language).items():
            path = ROOT / "_build" / "gettext" / f"{domain}.pot"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(render(messages))
            console.print(f"{path.relative_to(ROOT)}: {len(messages)} strings", highlight=False)
        return 0
    if options.command == "update":
        update(ROOT, options.language, console)
        return 0
    return show(check(ROOT, options.language), options.language, console)


if __name__ == "__main__":
    sys.exit(main())
