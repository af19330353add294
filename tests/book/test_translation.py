"""The catalogues of the book in Chinese: complete, consistent, and `translate.py check` notices when they are not."""

from __future__ import annotations

import copy
import doctest
import json
import re
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from rich.console import Console

from tools.book import strings

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "book"))
import i18n  # noqa: E402
import translate  # noqa: E402

CODE = "zh_CN"
WORDS = re.compile(r"[A-Za-z]{2,} +[a-z]{2,}")
SELECTOR = re.compile(r"(?:^|[\s,>])[.#][a-z]")


@pytest.fixture(scope="module")
def wanted() -> dict[str, Catalog]:
    """Everything that the Chinese edition shows, by domain."""
    return translate.extract(ROOT, CODE)


def there(domain: str) -> Catalog:
    found = translate.read(translate.catalogue(ROOT, CODE, domain), CODE)
    assert found is not None, f"{domain} has no catalogue; run `python book/translate.py update`"
    return found


def test_every_string_of_the_chinese_edition_is_translated(wanted: dict[str, Catalog]) -> None:
    assert {"book/intro", "book/part1/sampling", "book/glossary", "llmlab"} <= set(wanted)
    problems = [
        line for domain, found in wanted.items() for line in translate.compare(domain, found, there(domain)).problems
    ]
    assert problems == [], "run `python book/translate.py update`, translate, and run it with `check`"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("empty", "untranslated"),
        ("fuzzy", "fuzzy"),
        ("number", "inconsistent"),
        ("formula", "inconsistent"),
        ("new", "untranslated"),
        ("stale", "gone"),
    ],
)
def test_a_planted_fault_is_reported(wanted: dict[str, Catalog], fault: str, kind: str) -> None:
    domain = "book/part1/sampling"
    source, mine = copy.deepcopy(wanted[domain]), there(domain)
    before = len(translate.compare(domain, source, mine).problems)
    chosen = next(m for m in mine if m.id and "{num}" in m.id and "$" in str(m.id) and not m.fuzzy)
    match fault:
        case "empty":
            chosen.string = ""
        case "fuzzy":
            chosen.flags.add("fuzzy")
        case "number":
            chosen.string = re.sub(r"\{num\}`[^`]*`", "42", str(chosen.string), count=1)
        case "formula":
            chosen.string = re.sub(r"\$[^$]*\$", "$x^9$", str(chosen.string), count=1)
        case "new":
            source.add("A sentence that nobody has translated.", locations=[("book/part1/sampling.md", 7)])
        case "stale":
            mine.add("A sentence that was taken out.", "一句已被删去的话。")
    report = translate.compare(domain, source, mine)
    assert len(report.problems) == before + 1 and report.counts[kind] >= 1
    assert any(kind in line for line in report.problems)


def test_show_fails_on_any_problem() -> None:
    bad = translate.Report("x", 1, problems=["x:1: untranslated: word"])
    out = Console(file=open("/dev/null", "w", encoding="utf-8"))
    assert (translate.show([bad], CODE, out), translate.show([translate.Report("x", 1)], CODE, out)) == (1, 0)


def test_scripts_are_read_whole(wanted: dict[str, Catalog]) -> None:
    """Against a reader of its own: what stands in `_("...")` anywhere in a script."""
    found = {m.id for m in wanted["llmlab"]}
    scripts = sorted((ROOT / "book/_static").rglob("*.js"))
    marked = {
        (path.name, json.loads(f'"{text}"'))
        for path in scripts
        for text in re.findall(r'(?<![\w$])_\(\s*"((?:[^"\\\n]|\\.)*)"', path.read_text(encoding="utf-8"))
    }
    assert len(marked) > 100
    assert [one for one in sorted(marked) if one[1] not in found] == []


def unmarked(source: str) -> list[str]:
    """Strings of a script that read like English and do not go through `_`: two words or more, no class names.

    >>> unmarked('h("p", {class: "plot big one"}, "Every token"); say(_("two words")); // "a comment here"')
    ['Every token']
    """
    bare = re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", source, flags=re.S)
    bare = re.sub(r'(?<![\w$])_\(\s*"(?:[^"\\\n]|\\.)*"', "", bare)
    bare = re.sub(r"class(?:Name)?\s*[:=][^,}\n]*", "", bare)
    bare = re.sub(r'(?:querySelector(?:All)?|closest|fetch|Error)\s*[:=(]\s*[`"][^`"]*[`"]', "", bare)
    bare = re.sub(r"\$\{[^{}]*\}", "", bare)
    texts = [text for _quote, text in re.findall(r'(["`])((?:(?!\1)[^\\\n]|\\.)*)\1', bare)]
    return [text for text in texts if WORDS.search(text) and not SELECTOR.search(text)]


ALLOWED = {"use strict", "level fine"}  # a mode of JavaScript, and names of classes


def test_figures_say_nothing_that_is_not_marked() -> None:
    found = {
        (path.name, text)
        for path in sorted((ROOT / "book/_static").rglob("*.js"))
        for text in unmarked(path.read_text(encoding="utf-8"))
        if text not in ALLOWED
    }
    assert found == set(), "put what a reader sees through _(...)"
    assert unmarked('box.append("Drag the weight");') == ["Drag the weight"]


def test_python_strings_are_marked_by_name() -> None:
    for module in (translate, strings):
        assert doctest.testmod(module).failed == 0, module.__name__
    code = 'x = _("a {n}")\ny = _(spec["title"])\nz = N_("later")\nw = gettext("not ours")'
    assert [text for _line, text in strings.python_strings(code)] == ["a {n}", "later"]


def test_the_words_for_the_theme_are_words_of_the_theme() -> None:
    import pydata_sphinx_theme
    import sphinx

    def ids(path: Path) -> set[object]:
        with path.open("rb") as file:
            return {m.id for m in read_po(file) if m.id and m.string}

    ours = ids(ROOT / "book/_locale" / CODE / "LC_MESSAGES/sphinx.po")
    with (Path(pydata_sphinx_theme.__file__).parent / "locale/en/LC_MESSAGES/sphinx.po").open("rb") as file:
        theme = {m.id for m in read_po(file) if m.id}
    assert ours and ours <= theme, "a word that the theme no longer has"
    assert not ours & ids(Path(sphinx.__file__).parent / "locale" / CODE / "LC_MESSAGES/sphinx.po"), (
        "Sphinx translates it itself"
    )


def test_scripts_get_their_words_and_no_others(tmp_path: Path) -> None:
    po = tmp_path / "llmlab.po"
    po.write_text(
        '#: book/_static/a.js\nmsgid "Reset"\nmsgstr "重置"\n\n#: book/_ext/a.py\nmsgid "Read"\nmsgstr "阅读"\n\n'
        '#: book/_static/a.js\n#, fuzzy\nmsgid "Back"\nmsgstr "背"\n\n#: book/_static/a.js\nmsgid "Next"\nmsgstr ""\n',
        encoding="utf-8",
    )
    assert i18n.script_texts(po) == {"Reset": "重置"}
