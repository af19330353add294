"""The API pages say what the docstrings say, word for word, and name every function that a student writes.

The oracle takes the docstrings from the files, with `ast`, and the pages as text. It shares nothing with what makes
them.
"""

from __future__ import annotations

import ast
import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import docstrings
import pytest
from bs4 import BeautifulSoup

from llmlab._finder import LABS, LAB_MODULES
from llmlab.checks import registry

ROOT = Path(__file__).resolve().parents[2]
GIVEN = {"models": "llmlab/models", "figures": "llmlab/figures", "devices": "llmlab/devices", "check": "llmlab/harness"}
ADDED = "Arguments"


def documented(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(name, docstring) of the module and of everything public in it."""
    yield "module", ast.get_docstring(tree) or ""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node.name, ast.get_docstring(node) or ""
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", ast.get_docstring(method) or ""


def words(text: str) -> str:
    """Letters, digits and signs of a text, without the marks that quote or stress a name, and without spaces.

    A list's dash and the colon behind Source are shown in another way.
    """
    text = re.sub(r"^ *- ", "", text, flags=re.M)
    text = re.sub(r"(?<![\w*])\*([A-Za-z][\w -]*)\*(?![\w*])", r"\1", text)
    return re.sub(r"[\s`]+|(?<=Source)s?:", "", text)


def shown(page: str) -> str:
    """The text of a page's article, without what was added to the docstrings."""
    article = BeautifulSoup(page, "html.parser").select_one("article.bd-article")
    assert article is not None
    for extra in article.select("a.headerlink, .sd-tab-set"):
        extra.decompose()
    for term in article.select(".api-terms dt"):
        if term.get_text().strip() == ADDED:
            term.decompose()
    return words(article.get_text())


def mangled(source: str, page: str) -> list[str]:
    """The documented things of a module whose docstring is not on the page as it stands."""
    text = shown(page)
    return [name for name, said in documented(ast.parse(source)) if words(said) not in text]


@pytest.mark.parametrize("module", LAB_MODULES)
def test_a_page_says_what_the_docstrings_say(html: Path, module: str) -> None:
    source = (ROOT / "llmlab" / f"{module}.py").read_text(encoding="utf-8")
    page = (html / "book" / "reference" / "api" / f"{module}.html").read_text(encoding="utf-8")
    assert mangled(source, page) == []
    text = BeautifulSoup(page, "html.parser").get_text()
    for task in registry.tasks(module):
        assert f'id="llmlab.{task.id}"' in page, task.id
        assert f"llmlab check {task.id}" in text, task.id
        assert f'{task.read}"' in page, f"{task.id}: no link to {task.read}"


def test_a_changed_word_is_noticed() -> None:
    source = '"""About."""\n\ndef f(x):\n    """Take (..., V), `x` * 2.\n\n    >>> f(1)\n    2\n    """\n'
    text = "<p>About.</p><p>Take (..., V), <code>x</code> * 2.</p><pre>&gt;&gt;&gt; f(1)\n2</pre>"
    page = f'<article class="bd-article">{text}</article>'
    assert mangled(source, page) == []
    for change in (("(...", "(…"), (" * 2", " 2"), ("2</pre>", "</pre>"), ("About.", "")):
        assert mangled(source, page.replace(*change)) != [], change


@pytest.mark.parametrize("name", GIVEN)
def test_given_rooms_have_a_page_with_all_they_export(html: Path, name: str) -> None:
    import importlib

    page = (html / "book" / "reference" / "api" / f"{name}.html").read_text(encoding="utf-8")
    if name == "check":
        exported = [f"llmlab.{one}" for one in ("check", "check_answer", "use", "reload")]
    else:
        module = importlib.import_module(f"llmlab.{name}")
        exported = [f"llmlab.{name}.{one}" for one in module.__all__ if one != "SHIPPED"]
    assert [one for one in exported if f'id="{one}"' not in page] == []


def test_the_overview_lists_every_module_of_every_lab(html: Path) -> None:
    rows = BeautifulSoup((html / "book/reference/api.html").read_text(encoding="utf-8"), "html.parser").select(
        "table tr"
    )
    listed = [[cell.get_text().strip() for cell in row.find_all("td")] for row in rows]
    for lab, modules in LABS.items():
        for module in modules:
            tasks = registry.tasks(module)
            points = f"{sum(task.points for task in tasks):g}"
            assert any(row[:2] == [lab, module] and row[3:] == [str(len(tasks)), points] for row in listed), module


CASES = {
    "signs of markup": ("a*b*c, x_ and |y| \\ z", "a*b*c, x_ and |y| \\ z"),
    "a formula with stars": ("2 * n * k of **kwargs", "2 * n * k of **kwargs"),
    "names in quotes beside letters": ("`top_k`s and (`x`)=`y`", "top_ks and (x)=y"),
    "a list": ("One:\n\n- a\n  b\n- c", "One: a b c"),
    "shapes": (
        "x: (..., V), y: (B, T). Returns (...) int64.",
        "Arguments x: (..., V), y: (B, T). Returns (...) int64.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_markup_would_eat_is_kept(case: str) -> None:
    from docutils.core import publish_doctree

    said, seen = CASES[case]
    rst = "\n".join(docstrings.as_rst(said.splitlines(), {"x", "y"})).replace(":py:obj:", "")
    tree = publish_doctree(rst, settings_overrides={"report_level": 5})
    assert " ".join(tree.astext().split()) == seen


@pytest.mark.parametrize("name", ["docstrings", "api", "cli_pages", "evidence", "general_index", "ledger_html"])
def test_the_examples_of_the_extensions_hold(name: str) -> None:
    result = doctest.testmod(__import__(name))
    assert result.attempted > 0 and result.failed == 0, result
