"""The Chinese edition beside the English book: a small book from string to page, and the real one in a browser."""

from __future__ import annotations

import doctest
import json
import posixpath
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Comment
from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "book"))
import i18n  # noqa: E402
import languages  # noqa: E402
import translate  # noqa: E402

MiniBook = Callable[[dict[str, str]], tuple[Path, Callable[..., tuple[int, str]]]]
CHAPTER = "book/part1/sampling.html"
HEADER = (
    "---\njupytext: {text_representation: {extension: .md, format_name: myst}}\n"
    "kernelspec: {name: python3, display_name: Python 3}\n---\n"
)
NAV = re.compile(r'<nav class="language-switch".*?</nav>', re.S)
LINK = re.compile(r'<a class="btn btn-sm" href="([^"]*)" lang="([^"]*)" hreflang="([^"]*)">')
SENTENCE = "It took {num}`speed.ratio:.1f` times as long, see {ref}`sec-b` and {ref}`there <sec-b>`."
SOURCES = {
    "_toc.yml": "format: jb-book\nroot: book/intro\nchapters:\n- file: book/a\n- file: book/b\n",
    "book/intro.md": "# The start\n\nRead {doc}`a` or {doc}`b`.\n",
    "book/a.md": HEADER + f"# A page\n\n{SENTENCE}\n\n"
    "```{code-cell} python\nwith open('../ran.txt', 'a') as file:\n    file.write('x')\nprint('once')\n```\n",
    "book/b.md": "(sec-b)=\n# Not translated\n\nWords.\n",
    "book/_locale/zh_CN/toc.yml": "format: jb-book\nroot: book/intro\nchapters:\n- file: book/a\n",
    "results/speed.json": '{"origin": {"command": "c", "date": "d", "machine": "m"}, "values": {"ratio": 3.14}}',
    "solutions/decoding.py": "",
}
CHINESE = {
    "book/intro": {"The start": "起点", "Read {doc}`a` or {doc}`b`.": "请读 {doc}`a` 或 {doc}`b`。"},
    "book/a": {
        "A page": "一页",
        SENTENCE: "用时是 {num}`speed.ratio:.1f` 倍，见{ref}`那里 <sec-b>`和 {ref}`sec-b`。",
    },
}


def resolve(page: Path, href: str) -> tuple[Path, str]:
    """The file and the anchor that a link on a page leads to."""
    path, _hash, anchor = href.partition("#")
    return Path(posixpath.normpath((page.parent / path).as_posix())), anchor


def test_a_page_goes_from_source_to_chinese(mini_book: MiniBook) -> None:
    root, build = mini_book(SOURCES)
    with open("/dev/null", "w", encoding="utf-8") as quiet:
        translate.update(root, "zh_CN", Console(file=quiet))
    for domain, words in CHINESE.items():
        path = translate.catalogue(root, "zh_CN", domain)
        catalog = translate.read(path, "zh_CN")
        assert {m.id for m in catalog if m.id} == set(words)
        for source, text in words.items():
            catalog.get(source).string = text
        path.write_bytes(translate.render(catalog))
    status, said = build()
    assert status == 0, said
    html = root / "_build" / "html"
    assert not (html / "zh" / "book" / "b.html").exists()
    page = BeautifulSoup((html / "zh/book/a.html").read_text(encoding="utf-8"), "html.parser")
    assert page.html["lang"] == "zh-CN" and page.h1.get_text().startswith("一页")
    assert page.select_one(".num").get_text() == "3.1" and "测得" not in page.select_one(".num").get_text()
    away = page.select("a.english-page")
    assert [link["href"] for link in away] == ["../../book/b.html#sec-b"] * 2 and {
        link["hreflang"] for link in away
    } == {"en"}
    assert [link.get_text() for link in away] == ["那里", "Not translated"]
    assert (root / "ran.txt").read_text() == "x" and "once" in page.get_text(), (
        "the cell ran again for the second language"
    )
    english = (html / "book/b.html").read_text(encoding="utf-8")
    assert 'href="../zh/book/intro.html#not-translated"' in english and 'hreflang="zh-CN" href="../zh' not in english
    assert 'id="not-translated"' in (html / "zh/book/intro.html").read_text(encoding="utf-8")


def test_names_and_addresses() -> None:
    assert doctest.testmod(languages).failed == 0


def broken_switches(html: Path) -> list[str]:
    """Pages whose switch is missing, or leads nowhere."""
    wrong = []
    for page in sorted(html.rglob("*.html")):
        if "_static" in page.parts or page.name == "index.html" and page.parent.name in ("html", "zh", html.name):
            continue
        text = page.read_text(encoding="utf-8")
        links = LINK.findall("".join(NAV.findall(text)))
        for href, lang, other in links:
            there, anchor = resolve(page, href)
            if (
                lang != other
                or not there.is_file()
                or (anchor and f'id="{anchor}"' not in there.read_text(encoding="utf-8"))
            ):
                wrong.append(f"{page.relative_to(html)}: {href}")
        if not links:
            wrong.append(f"{page.relative_to(html)}: no switch")
    return wrong


def test_every_page_switches_to_a_page_that_is_there(html: Path, tmp_path: Path) -> None:
    assert broken_switches(html) == []
    planted = tmp_path / "book" / "a.html"
    planted.parent.mkdir()
    planted.write_text(
        '<nav class="language-switch"><a class="btn btn-sm" href="../zh/a.html" '
        'lang="zh-CN" hreflang="zh-CN">x</a></nav>'
    )
    assert broken_switches(tmp_path) == ["book/a.html: ../zh/a.html"]


def numbers(page: Path) -> Counter[tuple[str, str]]:
    """(key, text) of the measured numbers of a page."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    return Counter((tag["data-key"], tag.get_text()) for tag in soup.select(".num"))


def test_the_chinese_chapter_has_the_numbers_of_the_english_one(html: Path) -> None:
    english, chinese = numbers(html / CHAPTER), numbers(html / "zh" / CHAPTER)
    assert sum(english.values()) > 20 and chinese == english


def english_left(page: Path) -> list[str]:
    """What a Chinese page says in English, in text and in attributes that are read; not code, formulas, citations."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    for tag in soup.select(
        "script, style, noscript, code, pre, kbd, .math, .citation, .genindextable, dl.glossary dt, [lang=en], "
        ".english-page, p.downloads, a.reference.internal[title]:not([href*=term])"
    ):
        tag.decompose()
    said = [str(text) for text in soup.find_all(string=True) if not isinstance(text, Comment)]
    said += [
        str(tag[name]) for tag in soup.find_all(True) for name in ("aria-label", "placeholder", "alt") if tag.get(name)
    ]
    return [
        text.strip() for text in said if re.search(r"[A-Za-z]{4,}", text) and not re.search(r"[\u3400-\u9fff]", text)
    ]


NAMES = {"llmlab", "html", "The llmlab authors", "softmax"}


def test_nothing_on_a_chinese_page_is_left_in_english(html: Path, tmp_path: Path) -> None:
    pages = [
        page
        for page in sorted((html / "zh").rglob("*.html"))
        if "_static" not in page.parts and page.name not in ("index.html", "genindex.html")
    ]
    assert len(pages) >= 5
    assert {
        (page.name, text)
        for page in pages
        for text in english_left(page)
        if text not in NAMES
        and not (page.name == "sampling.html" and re.fullmatch(r"[A-Z][a-z]+(, | and )?.*et al\.?|[A-Z]\w+", text))
    } == set()
    planted = tmp_path / "a.html"
    planted.write_text(
        '<p>中文</p><p>Nobody translated this.</p><button aria-label="Close the box">×</button>', encoding="utf-8"
    )
    assert english_left(planted) == ["Nobody translated this.", "Close the box"]


def found(page: Any, search: Path, words: str) -> list[str]:
    page.open(search, query=f"?q={words}")
    page.wait_for(
        "document.querySelector('#search-results p.search-summary, #search-results > p')"
        "?.textContent.match(/[0-9]|没有|did not/)"
    )
    return page.evaluate("[...document.querySelectorAll('#search-results li a')].map(a => a.getAttribute('href'))")


@pytest.mark.parametrize("words", ["贪心解码", "温度采样", "词元", "top-p 核采样", "Temperature"])
def test_a_chinese_query_finds_the_chinese_page(html: Path, page: Any, words: str) -> None:
    links = found(page, html / "zh" / "search.html", words)
    assert any("sampling" in link or "glossary" in link for link in links), links
    assert page.errors == [] and page.remote == []


def test_search_finds_nothing_for_nothing(html: Path, page: Any) -> None:
    assert found(page, html / "zh" / "search.html", "麒麟") == []


def test_an_english_query_finds_the_english_page(html: Path, page: Any) -> None:
    assert any("part1/sampling" in link for link in found(page, html / "search.html", "greedy temperature"))


def press_enter(page: Any) -> None:
    for kind in ("keyDown", "keyUp"):
        page.call(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Enter",
            code="Enter",
            windowsVirtualKeyCode=13,
            text="\r" if kind == "keyDown" else "",
        )


def test_the_keyboard_goes_there_and_back(html: Path, page: Any) -> None:
    page.open(html / CHAPTER)
    page.evaluate("document.querySelector('.language-switch a').focus()")
    press_enter(page)
    page.wait_for(f"location.pathname.endsWith('/zh/{CHAPTER}') && document.readyState === 'complete'")
    page.wait_for("document.querySelector('.fig [role=status]')?.textContent.includes('词元')")
    page.evaluate("document.querySelector('.language-switch a').focus()")
    press_enter(page)
    page.wait_for(
        f"location.pathname.endsWith('/{CHAPTER}') && !location.pathname.includes('/zh/') "
        "&& document.readyState === 'complete'"
    )
    assert page.errors == []


def test_a_page_without_a_translation_says_so(html: Path, page: Any) -> None:
    page.open(
        next(
            file
            for file in sorted((html / "book").rglob("*.html"))
            if not (html / "zh" / file.relative_to(html)).exists()
        )
    )
    page.evaluate("document.querySelector('.language-switch a').click()")
    page.wait_for("location.hash === '#not-translated' && document.readyState === 'complete'")
    shown = "getComputedStyle(document.getElementById('not-translated')).display"
    assert page.evaluate(shown) == "block" and "译" in page.evaluate(
        "document.getElementById('not-translated').textContent"
    )
    page.open(html / "zh/book/intro.html")
    assert page.evaluate(shown) == "none"


ENGLISH = re.compile(r"[a-z]{3,} [a-z]{2,}|^(?!FLOPs$)[A-Za-z]{4,}$|\d bits")
"""Two words, one alone, or a unit; what the model wrote stands between quotation marks."""


def figure_page(figures: Any, folder: Path) -> Path:
    """A page with every figure of the book, with the words that a Chinese page has."""
    catalog = translate.read(translate.catalogue(ROOT, "zh_CN", "llmlab"), "zh_CN")
    words = {m.id: m.string for m in catalog if m.id}
    chapters = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "book").glob("part*/*.md")))
    parts = []
    for name, data in re.findall(r"^```\{interactive\} (\S+)\n(?::data: \.\./_data/(\S+)\n)?", chapters, re.M):
        spec = figures.read_spec(ROOT / "book/_figures" / f"{name}.yml")
        knobs = {
            key: {
                **knob,
                "label": words[knob["label"]],
                "names": {str(value): words[str(word)] for value, word in knob.get("names", {}).items()},
            }
            for key, knob in spec["knobs"].items()
        }
        found = json.loads((ROOT / "book/_data" / data).read_text(encoding="utf-8")) if data else None
        payload = json.dumps({"title": words[spec["title"]], "knobs": knobs, "data": found}).replace("</", "<\\/")
        parts.append(
            f'<div class="fig fig-{name}" id="{name}"><script type="application/json">{payload}</script></div>'
        )
        parts.append(f'<script src="{(ROOT / "book/_static/figures" / f"{name}.js").as_uri()}"></script>')
    texts = json.dumps(i18n.script_texts(translate.catalogue(ROOT, "zh_CN", "llmlab")))
    lib = (ROOT / "book/_static/figures/lib.js").as_uri()
    page = folder / "figures.html"
    page.write_text(
        f'<!DOCTYPE html><html lang="zh-CN"><meta charset="utf-8"><title>x</title><script>window.llmlabText = {texts}'
        f'</script><script src="{lib}"></script>{"".join(parts)}</html>',
        encoding="utf-8",
    )
    return page


SHOWN = """[...document.querySelectorAll('.fig')].flatMap((fig) => {
  const said = [], walk = document.createTreeWalker(fig, NodeFilter.SHOW_TEXT);
  const not = 'script, code, .fig-beam-tree tbody th, .fig-beam-tree option';  // texts of the model and of prompts
  while (walk.nextNode()) if (!walk.currentNode.parentElement.closest(not)) said.push(walk.currentNode.data);
  for (const e of fig.querySelectorAll('[aria-label], [title]'))
    said.push(e.getAttribute('aria-label') || e.getAttribute('title'));
  return said.map((text) => [fig.id, text.trim()]);
})"""


def test_every_figure_speaks_chinese(figures: Any, page: Any, tmp_path: Path) -> None:
    page.open(figure_page(figures, tmp_path))
    shown = page.evaluate(SHOWN)
    assert page.errors == [] and len({name for name, _text in shown}) >= 8
    assert {(name, text) for name, text in shown if ENGLISH.search(re.sub("“.*?”", "", text))} == set()
    assert ENGLISH.search("A sentence in it") and ENGLISH.search("scores") and not ENGLISH.search("top-k 采样")
