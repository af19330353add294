"""Commands, glossary, references and index: complete, and noticed when they are not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import cli_pages
import general_index
import pytest
import typer
import yaml
from bs4 import BeautifulSoup

from llmlab._finder import LAB_MODULES

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
CHINESE = re.compile("[\u4e00-\u9fff]")


# ---- commands


@cache
def terminal(*command: str) -> str:
    """What the installed program prints in a terminal of 80 columns, in a process of its own, trimmed."""
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "llmlab", *command, "--help"],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return trimmed(done.stdout)


def trimmed(text: str) -> str:
    """A text without spaces at the ends of its lines, and without empty lines around it."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def texts(page: str) -> list[str]:
    """The help texts of a page."""
    return [trimmed(pre.get_text()) for pre in BeautifulSoup(page, "html.parser").select(".help pre")]


def missing(page: str, panels: dict[str, list[str]]) -> list[str]:
    """Commands without a place on the page."""
    return [name for names in panels.values() for name in names if f'id="command-{name}"' not in page]


@pytest.fixture(scope="module")
def commands(html: Path) -> str:
    return (html / "book" / "reference" / "commands.html").read_text(encoding="utf-8")


def test_the_page_has_every_command_that_the_program_has(commands: str) -> None:
    listed = set(re.findall(r"^│ ([a-z][a-z-]*)  ", terminal().partition("For students")[2], re.M))
    assert len(listed) >= 20 and listed == {name for names in cli_pages.panels().values() for name in names}
    assert missing(commands, cli_pages.panels()) == []
    assert set(cli_pages.panels()) == {"For students", "For instructors"}, "a new panel needs a section on the page"


@pytest.mark.parametrize("command", [(), ("export-as",)])
def test_a_help_text_is_what_the_program_prints(commands: str, command: tuple[str, ...]) -> None:
    assert terminal(*command) in texts(commands)


def test_a_command_that_is_not_on_the_page_is_noticed(commands: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = typer.Typer()
    for name in ("check", "conjure"):
        program.command(name, rich_help_panel="For students")(lambda: None)
    monkeypatch.setattr(cli_pages, "application", lambda: program)
    assert missing(commands, cli_pages.panels()) == ["conjure"]


# ---- glossary


def entries(text: str) -> list[list[str]]:
    """The names of every entry of a glossary, as it is written.

    >>> entries("```{glossary}\\ntoken\\n词元\\n  A unit.\\n\\nbatch\\n  Many.\\n```\\n")
    [['token', '词元'], ['batch']]
    """
    found: list[list[str]] = []
    for block in re.findall(r"^```\{glossary\}\n(.*?)^```", text, re.M | re.S):
        names: list[str] = []
        for line in filter(None, block.splitlines()):
            if not line.startswith(" "):
                names.append(line.strip())
            elif names:
                found.append(names)
                names = []
    return found


def in_one_language(text: str) -> list[str]:
    """Entries that lack the English or the Chinese name."""
    return [names[0] for names in entries(text) if len({bool(CHINESE.search(name)) for name in names}) < 2]


def test_every_term_has_an_english_and_a_chinese_name() -> None:
    text = (BOOK / "glossary.md").read_text(encoding="utf-8")
    assert len(entries(text)) >= 130
    assert in_one_language(text) == []
    assert in_one_language("```{glossary}\ntoken\n词元\n  A unit.\n\nbatch\n  Many.\n\n批\n  Many.\n```\n") == [
        "batch",
        "批",
    ]


def test_a_term_has_one_entry() -> None:
    names = [name.lower() for each in entries((BOOK / "glossary.md").read_text(encoding="utf-8")) for name in each]
    assert sorted({name for name in names if names.count(name) > 1}) == []


# ---- references


def cited() -> set[str]:
    """Keys that a page or a row of the ledger cites."""
    pages = "\n".join(path.read_text(encoding="utf-8") for path in BOOK.rglob("*.md"))
    keys = {key.strip() for group in re.findall(r"\{cite[:\w]*\}`([^`]+)`", pages) for key in group.split(",")}
    for path in (BOOK / "ledger").glob("part*.yml"):
        for row in yaml.safe_load(path.read_text(encoding="utf-8")):
            keys |= set(row["evidence"].get("cite") or [])
    return keys


def unused(bib: str, keys: set[str]) -> list[str]:
    """Entries that nobody cites; what is only worth reading is cited on the page of references, with the reason."""
    return [key for key in re.findall(r"^@\w+\{([^,\s]+),", bib, re.M) if key not in keys]


def test_every_reference_is_cited() -> None:
    bib = (BOOK / "references.bib").read_text(encoding="utf-8")
    assert unused(bib, cited()) == []
    assert unused(bib + "\n@misc{nobody1900,\n title = {x}}\n", cited()) == ["nobody1900"]


# ---- index


def test_the_index_has_terms_functions_and_commands_and_is_in_the_contents(html: Path) -> None:
    page = BeautifulSoup((html / "genindex.html").read_text(encoding="utf-8"), "html.parser")
    links = {link.get("href"): link.get_text() for link in page.select("article a")}
    for module in LAB_MODULES:
        assert any(href.startswith(f"book/reference/api/{module}.html#") for href in links if href), module
    for name in cli_pages.panels()["For students"]:
        assert f"book/reference/commands.html#command-{name}" in links
    terms = [names for names in entries((BOOK / "glossary.md").read_text(encoding="utf-8"))]
    texts = set(links.values())
    assert [name for names in terms for name in names if name not in texts] == []
    groups = [heading.get_text() for heading in page.select("article h2")]
    assert groups[-1].startswith(general_index.GROUP) and not any(map(general_index.chinese, groups))
    start = BeautifulSoup((html / "book" / "glossary.html").read_text(encoding="utf-8"), "html.parser")
    assert start.select('nav a[href="../genindex.html"]')
