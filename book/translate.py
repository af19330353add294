"""Keeps the translations of the book: brings the catalogues up to date, and reports what is missing.

    python book/translate.py update     # after the English text changed, or to begin a page
    ... translate in book/_locale/zh_CN/LC_MESSAGES/*.po ...
    python book/translate.py check      # what is untranslated, fuzzy or inconsistent; exit status 1 if anything is

A language is a folder book/_locale/<code> whose toc.yml lists its pages (docs/translating.md). Strings come from those
pages and, into the catalogue `llmlab`, from all extensions, scripts and figure declarations, and from the checks and
plots that those pages show. It runs no cell and does not build the pages; `python book/build.py` does.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po
from rich.console import Console
from rich.table import Column, Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "book" / "_ext")) if path not in sys.path]

from tools.book.strings import (  # noqa: E402  (the folders above must be on the path first)
    BUTTON,
    CODE_SPAN,
    FIELD,
    FORMULA,
    LOCALES,
    ROLE,
    extract,
)

DATES = (b'"POT-Creation', b'"PO-Revision')
"""Lines of a .po file that would change at every run."""


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
    return b"\n".join(line for line in out.getvalue().split(b"\n") if not line.startswith(DATES))


def update(root: Path, code: str, console: Console) -> None:
    """Bring every catalogue of a language up to date: new strings enter empty, changed ones fuzzy with the old text."""
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
        console.print(
            f"{path.relative_to(root)}: {len(messages)} strings, {empty} to translate, {fuzzy} fuzzy",
            highlight=False,
            soft_wrap=True,
        )
    for path in sorted((root / LOCALES / code / "LC_MESSAGES").rglob("*.po")):
        domain = path.relative_to(root / LOCALES / code / "LC_MESSAGES").with_suffix("").as_posix()
        if domain not in wanted and domain != "sphinx":
            console.print(
                f"{path.relative_to(root)}: no page of toc.yml has this name; remove it if it was dropped",
                highlight=False,
            )


def placeholders(text: str) -> tuple[Counter[str], set[str]]:
    """What a translation must keep: (as often: roles with targets, buttons' states, {fields}; at all: formulas, code).

    >>> placeholders("At {num}`a.x:.2f` of $T$, see {ref}`row 1 <l-1>`")
    (Counter({'num a.x:.2f': 1, 'ref l-1': 1}), {'$T$'})
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
        self.problems.append(
            f"{name}:{line}: {kind}{f' ({why})' if why else ''}: {text[:90]}{'…' if len(text) > 90 else ''}"
        )


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
        report.add("gone", message)
    return report


def check(root: Path, code: str) -> list[Report]:
    """A report for every domain of a language."""
    return [
        compare(domain, messages, read(catalogue(root, code, domain), code))
        for domain, messages in extract(root, code).items()
    ]


def show(reports: list[Report], code: str, console: Console) -> int:
    """Print the reports; exit status 0 if there is nothing to do, else 1."""
    kinds = ("untranslated", "fuzzy", "inconsistent", "gone")
    table = Table(Column("page", no_wrap=True), "strings", *kinds)
    for report in reports:
        table.add_row(report.domain, str(report.strings), *(str(report.counts[kind] or "") for kind in kinds))
    console.print(table)
    problems = [line for report in reports for line in report.problems]
    for line in problems:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if problems:
        console.print(
            f"{len(problems)} strings to look at in {LOCALES}/{code}. "
            "New or changed ones: run `python book/translate.py update` first.",
            soft_wrap=True,
        )
    return 1 if problems else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "command",
        choices=("extract", "update", "check"),
        help="extract: write templates (.pot) into _build/gettext "
        "for other tools; update: bring the .po files up to date; check: report, and fail if anything is left",
    )
    parser.add_argument(
        "--language", default="zh_CN", metavar="CODE", help="the language, a folder of book/_locale (zh_CN)"
    )
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
