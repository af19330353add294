"""Takes the strings out of the book, for its translations: from pages, extensions, scripts, figures and checks.

`extract` gives a catalogue for each page of an edition, found by Sphinx's gettext builder without running a cell, and
one named `llmlab` for everything else. It writes nothing; book/translate.py does.
"""

from __future__ import annotations

import ast
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

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
    """{page: its messages} of the pages in a table of contents, as Sphinx's gettext builder finds them.

    No cell runs. Warnings are not shown: pages that are not translated are missing here, and a build reports the rest.
    """
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
        app = Sphinx(
            root,
            None,
            out,
            Path(folder) / "doctrees",
            "gettext",
            config,
            status=None,
            warning=io.StringIO(),
            freshenv=True,
        )
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

    >>> [neutral(text) for text in ("{num}`a.x` at $T = 0.8$", "{num}`a.x:.0%`", "$T$", "1.41")]
    [False, True, True, True]
    """
    return not re.search(r"[^\W\d_]", CODE_SPAN.sub("", FORMULA.sub("", ROLE.sub("", text))))


def captions(toc: Path) -> set[str]:
    """The captions in a table of contents of an edition: they are in its language already."""
    return {part.get("caption", "") for part in yaml.safe_load(toc.read_text(encoding="utf-8")).get("parts", ())}


def template(name: str) -> Catalog:
    """An empty catalogue with the project's header."""
    comment = f"# {name}: strings of the llmlab book. Keep them with `python book/translate.py` (docs/translating.md)."
    return Catalog(
        domain=name,
        project="llmlab",
        version="1",
        header_comment=comment,
        copyright_holder="The llmlab authors",
        msgid_bugs_address="",
        last_translator="The llmlab authors",
        language_team="",
    )


def python_strings(text: str) -> Iterator[tuple[int, str]]:
    """(line, string) of what a module passes to `_` as a literal.

    Babel's own reader would also take the key in `_(spec["title"])`.

    >>> list(python_strings('a = _("one " "two")\\n_(spec["title"])'))
    [(1, 'one two')]
    """
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(value)), *_rest]) if name in MARKS:
                yield node.lineno, value


def script_strings(path: Path) -> Iterator[tuple[int, str]]:
    """(line, string) of what a script passes to `_`, also as `llmlab._`."""
    for line, message, _comments, _context in extract_from_file(
        "javascript", path, keywords=dict.fromkeys(MARKS), options=TEMPLATES
    ):
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

    >>> cell = "```{code-cell} python\\n---\\nmystnb: {image: {alt: A line rises.}}\\n---\\nplot()\\n```\\n"
    >>> list(page_strings(cell))
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
        raise SystemExit(
            f"There is no {toc.relative_to(root)}. Write one with the pages to translate. Languages there are: {known}."
        )
    found = sphinx_messages(root, toc)
    return {**found, DOMAIN: own_messages(root, sorted(found))}
