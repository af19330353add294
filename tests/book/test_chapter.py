"""What a chapter gets from its front matter, and the course map: on a course of three chapters, and in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from tests.book.small import build

CONF = """
from sphinx.util.docutils import SphinxDirective

class Task(SphinxDirective):
    required_arguments = 1
    def run(self):
        return []

def setup(app):
    app.add_directive("task", Task)
"""
"""The real {task} imports every check, and so torch."""
STATIC = Path(__file__).resolve().parents[2] / "book" / "_static"
QUIZ = "```{quiz}\n:answer: 2\n:name: q-one\n\nWhy?\n\n- a\n\n  A.\n- b\n\n  B.\n```\n"
CHAPTERS = {
    "part1/one": ("{minutes: 50, needs: [], lab: null}", ""),
    "part1/two": ("{minutes: 25, needs: [part1/one], lab: lab2}", "```{task} flops.roofline\n```\n"),
    "part2/three": ("{minutes: 15, needs: [part1/one, part1/two], lab: lab2}", QUIZ),
}
TOC = """
format: jb-book
root: index
parts:
  - {caption: "Part I: a", chapters: [{file: book/part1/one}, {file: book/part1/two}]}
  - {caption: "Part II: b", chapters: [{file: book/part2/three}]}
"""
LAYOUT = """{%- extends "basic/layout.html" %}
{% block content %}<article class="bd-article">{{ body }}</article>
<nav class="ends" data-prev="{{ prev_title }}" data-next="{{ next_title }}"></nav>{% endblock %}
"""
INDEX = """# Map

:::{container} course-progress
Nothing yet.
:::

```{course-map}
```

```{course-labs}
```

```{toctree}
:class: bd-sidebar-primary
book/part1/one
book/part1/two
book/part2/three
```
"""


def chapter(name: str, about: str, body: str) -> str:
    return f"---\nllmlab: {about}\n---\n\n# Chapter {name[6:]}\n\nWhy?\n\n## A section\n\n{body}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The pages, and what the build warned of."""
    pages = {f"book/{name}.md": chapter(name, *rest) for name, rest in CHAPTERS.items()}
    files = ("js/progress.js", "css/quiz.css")
    scripts = {f"_static/{name}": (STATIC / name).read_text(encoding="utf-8") for name in files}
    return build(
        tmp_path_factory.mktemp("course"),
        {"conf.py": CONF, "index.md": INDEX, "_toc.yml": TOC, "_templates/layout.html": LAYOUT, **pages, **scripts},
        ["quiz", "chapter", "course_map"],
        myst_enable_extensions=["colon_fence"],
        html_static_path=["_static"],
        templates_path=["_templates"],
        html_css_files=["css/quiz.css"],
        html_js_files=["js/progress.js"],
    )


@pytest.fixture(scope="module")
def course(built: tuple[Path, str]) -> Path:
    return built[0]


def test_a_chapter_without_its_shape_is_a_warning_and_so_fails_the_build(built: tuple[Path, str]) -> None:
    said = built[1].splitlines()
    assert all("WARNING: the chapter's shape: " in line for line in said), "and nothing else went wrong"
    for name in CHAPTERS:
        about = [line for line in said if f"book/{name}.md" in line]
        assert any("shape: summary: there is no section" in line for line in about), name
        assert any("shape: predict: say **Predict.**" in line for line in about), name


def soup(course: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((course / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def words(tag: Any) -> str:
    return " ".join(tag.get_text().split())


def test_the_box_below_the_title_says_time_needs_and_lab(course: Path) -> None:
    one, two, three = (soup(course, f"book/{name}").select_one("h1 + ul.chapter-head") for name in CHAPTERS)
    assert [words(item) for item in one.select("li")] == [
        "Time about 50 minutes",
        "Read before nothing; you can begin here",
        "You write nothing that is tested",
    ]
    assert words(two.select("li")[2]) == "You write 1 function, tested in lab 2"
    assert [a["href"] for a in two.select("a")] == ["one.html", "../../index.html#map-lab2"]
    assert words(three.select("li")[1]) == "Read before Chapter one, Chapter two", "titles, not file names"


def test_only_the_last_chapter_of_a_lab_leads_into_it(course: Path) -> None:
    ends = [soup(course, f"book/{name}").select(".chapter-lab") for name in CHAPTERS]
    assert [len(end) for end in ends] == [0, 0, 1]
    assert "Now lab 2" in words(ends[2][0]) and "llmlab start my-labs lab2" in words(ends[2][0])


def test_a_link_into_another_part_names_it(course: Path) -> None:
    links = [soup(course, f"book/{name}").select_one("nav.ends") for name in CHAPTERS]
    assert [(link["data-prev"], link["data-next"]) for link in links] == [
        ("", ""),
        ("", "Part II · Chapter three"),
        ("Part I · Chapter two", ""),
    ]


def test_the_map_lists_every_chapter_with_time_needs_and_lab(course: Path) -> None:
    page = soup(course, "index")
    first, second = (page.select_one(f"#map-part{n}") for n in (1, 2))
    assert "2 chapters, about 75 minutes" in words(first) and "1 chapters, about 15 minutes" in words(second)
    assert [words(item) for item in page.select("ul.course-chapters > li")] == [
        "Chapter one 50 minutes",
        "Chapter two 25 minutes · after Chapter one · lab 2",
        "Chapter three 15 minutes · after Chapter one, Chapter two · lab 2",
    ]
    assert [a["href"] for a in page.select(".course-chapter > a")] == [f"book/{name}.html" for name in CHAPTERS]


def test_the_picture_has_a_dot_for_each_chapter_and_an_arc_for_each_need(course: Path) -> None:
    picture = soup(course, "index").select_one("svg.course-graph")
    assert (len(picture.select("circle")), len(picture.select("path"))) == (3, 3)
    assert [t.get_text() for t in picture.select("text")] == ["Chapter one", "Chapter two", "Chapter three"]
    assert picture["role"] == "img" and len(picture["aria-label"].split()) > 5


def test_every_lab_has_an_entry_with_its_modules_and_chapters(course: Path) -> None:
    page = soup(course, "index")
    labs = [page.find(id=f"map-lab{n}") for n in range(1, 7)]
    assert "flops.py" in words(labs[1]) and "1 functions" in words(labs[1])
    assert [words(a) for a in labs[1].select("p a")] == ["Chapter two", "Chapter three"]


MARKS = (
    "[...document.querySelectorAll('.bd-sidebar-primary a, .course-chapter > a')]"
    ".flatMap(a => a.querySelector('.read-mark') ? a.href : [])"
)
BUTTON = "document.querySelector('.read-button')"


@pytest.mark.xdist_group("browser")
def test_what_was_read_and_answered_is_remembered_until_it_is_forgotten(course: Path, page: Any) -> None:
    page.open(course / "index.html")
    page.evaluate("localStorage.clear()")
    page.open(course / "book" / "part2" / "three.html")
    assert page.evaluate(f"{BUTTON}.textContent") == "Mark as read"
    page.evaluate(f"{BUTTON}.click(); document.querySelector('#q-one-2').click()")
    assert page.evaluate(f"{BUTTON}.textContent") == "Mark as not read"
    page.open(course / "book" / "part2" / "three.html")
    assert page.evaluate("document.querySelector('#q-one-2').checked")
    assert page.evaluate("document.querySelector('.read-said').textContent")
    page.open(course / "index.html")
    marked = page.evaluate(MARKS)
    assert [link.rsplit("/", 1)[1] for link in marked] == ["three.html"] * 2, "once on the map, once in the sidebar"
    said = "document.querySelector('.course-progress p').textContent"
    assert page.evaluate(said) == "Chapters read: 1 of 3. Questions answered: 1."
    page.evaluate(f"window.confirm = () => false; {BUTTON}.click()")
    assert "read: 1 of 3" in page.evaluate(said)
    page.evaluate(f"window.confirm = () => true; {BUTTON}.click()")
    assert "read: 0 of 3" in page.evaluate(said) and page.evaluate(MARKS) == []
    assert page.evaluate("localStorage.getItem('llmlab-book')") is None
    assert page.errors == [] and page.remote == []


@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize(
    "kept", ["{", "null", "7", '{"read": 3, "quiz": {"q-one": 7}}', '{"read": [], "quiz": {"q-one": [9, "x"]}}']
)
def test_a_spoilt_record_disturbs_nothing(course: Path, page: Any, kept: str) -> None:
    page.open(course / "index.html")
    page.evaluate(f"localStorage.setItem('llmlab-book', {kept!r})")
    page.open(course / "book" / "part2" / "three.html")
    assert page.errors == [] and page.evaluate(f"{BUTTON}.textContent") == "Mark as read"
    page.evaluate(f"{BUTTON}.click()")
    assert page.evaluate("JSON.parse(localStorage.getItem('llmlab-book')).read['part2/three']") is True
    page.evaluate("localStorage.clear()")


@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("name", ["index", "book/part2/three"])
def test_a_browser_that_keeps_nothing_shows_the_book_without_marks(course: Path, page: Any, name: str) -> None:
    refuse = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('refused'); }})"
    added = page.call("Page.addScriptToEvaluateOnNewDocument", source=refuse)
    try:
        page.open(course / f"{name}.html")
        assert [error for error in page.errors if "sphinx_highlight.js" not in error] == [], "Sphinx's own complains"
        assert page.evaluate(BUTTON) is None
        if name == "index":
            assert "Nothing yet." in page.evaluate("document.querySelector('.course-progress').textContent")
    finally:
        page.call("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])
