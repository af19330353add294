"""Quizzes: what a browser gets, what paper gets, what a translator gets, and that a bad quiz says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag

from tests.book.small import build

GOOD = """
```{quiz}
:answer: 2
:name: quiz-one

What is $p$?

- A logit

  Logits are not *normalised*.

- A probability

  Between 0 and 1.

  And they sum to 1.
```
"""
SEVERAL = """
```{quiz}
:answer: 1, 3

Which are even?

- 2

  Yes: 2 = 2 · 1.

- 3

  It leaves 1.

- 4

  Yes: 4 = 2 · 2.
```
"""
PAGE = "# Title\n\nSee {ref}`the first <quiz-one>`.\n" + GOOD + SEVERAL


@pytest.fixture(scope="module")
def soup(tmp_path_factory: pytest.TempPathFactory) -> BeautifulSoup:
    out, said = build(tmp_path_factory.mktemp("quiz"), {"index.md": PAGE}, ["quiz"])
    assert said == ""
    return BeautifulSoup((out / "index.html").read_text(encoding="utf-8"), "html.parser")


def quizzes(soup: BeautifulSoup) -> list[Tag]:
    return soup.select("fieldset.quiz")


def test_one_right_answer_is_a_radio_group_and_several_are_checkboxes(soup: BeautifulSoup) -> None:
    one, several = quizzes(soup)
    assert [i["type"] for i in one.select("input")] == ["radio"] * 2
    assert [i["type"] for i in several.select("input")] == ["checkbox"] * 3
    assert {i["name"] for i in one.select("input")} == {"quiz-one"}, "one name makes it one group"
    assert "several" in several.legend.get_text() and "several" not in one.legend.get_text()


def test_the_right_answers_are_those_the_author_numbered(soup: BeautifulSoup) -> None:
    one, several = quizzes(soup)
    marks = [[o.select_one(".quiz-mark").get_text() for o in q.select(".quiz-option")] for q in (one, several)]
    assert marks == [["✗ Not this one.", "✓ Right."], ["✓ Right.", "✗ Not this one.", "✓ Right."]]


def test_each_answer_has_its_label_and_its_own_feedback_beside_the_input(soup: BeautifulSoup) -> None:
    for option in soup.select(".quiz-option"):
        box, label, feedback = (child for child in option.children if isinstance(child, Tag))
        assert (box.name, label.name, label["for"]) == ("input", "label", box["id"])
        assert not label.select("p, div"), "a label holds text only"
        assert feedback["role"] == "status" and len(feedback.select("p")) >= 2
    assert "sum to 1" in quizzes(soup)[0].select(".quiz-feedback")[1].get_text()


def test_a_screen_reader_hears_the_question_on_entering(soup: BeautifulSoup) -> None:
    for one in quizzes(soup):
        assert one.legend.get_text().startswith("Question ")
        question = soup.find(id=one["aria-describedby"])
        assert question in one.select(".quiz-question") and question.get_text().strip().endswith("?")


def test_ids_are_unique_and_the_name_is_an_anchor(soup: BeautifulSoup) -> None:
    ids = [tag["id"] for tag in soup.select("[id]")]
    assert len(ids) == len(set(ids))
    assert soup.select_one('a[href="#quiz-one"]').get_text() == "the first"
    assert quizzes(soup)[1]["id"] == "quiz-index-2", "without a name: page and number, unique in a single-page book"


def test_an_epub_shows_every_answer_with_its_mark_and_asks_for_no_click(tmp_path: Path) -> None:
    out, said = build(tmp_path, {"index.md": PAGE}, ["quiz"], "epub", version="1", language="en")
    text = (out / "index.xhtml").read_text(encoding="utf-8")
    assert "quiz" not in said
    assert "<input" not in text and "<fieldset" not in text and "role=\"status\"" not in text
    soup = BeautifulSoup(text, "html.parser")
    assert len(soup.select(".quiz-mark")) == 5 and len(soup.select(".quiz-answer")) == 5


def test_a_translator_gets_question_answers_and_feedback(tmp_path: Path) -> None:
    out, _said = build(tmp_path, {"index.md": PAGE}, ["quiz"], "gettext")
    text = (out / "index.pot").read_text(encoding="utf-8")
    for message in ("What is $p$?", "A logit", "Logits are not *normalised*.", "And they sum to 1.", "It leaves 1."):
        assert f'msgid "{message}"' in text


BAD = {
    "no list": ("Why?", ":answer: 1", "bullet list of answers"),
    "no question": ("- a\n\n  A.\n- b\n\n  B.", ":answer: 1", "write one above"),
    "one answer": ("Why?\n\n- a\n\n  A.", ":answer: 1", "two answers or more"),
    "no right answer": ("Why?\n\n- a\n\n  A.\n- b\n\n  B.", ":name: x", "add `:answer:`"),
    "a number too large": ("Why?\n\n- a\n\n  A.\n- b\n\n  B.", ":answer: 3", "names answer 3, but there are 2"),
    "no feedback": ("Why?\n\n- a\n\n  A.\n- b", ":answer: 1", "answer 2 has no feedback"),
    "an answer that is code": ("Why?\n\n- ~~~\n  a\n  ~~~\n\n  A.\n- b\n\n  B.", ":answer: 1", "answer 1 must begin"),
    "text below the list": ("Why?\n\n- a\n\n  A.\n- b\n\n  B.\n\nThe end.", ":answer: 1", "last block"),
}


def test_a_bad_quiz_fails_the_build_and_says_what_to_do(tmp_path: Path) -> None:
    pages = {f"{n}.md": f"# T\n\n```{{quiz}}\n{o}\n\n{c}\n```\n" for n, (c, o, _m) in enumerate(BAD.values())}
    _out, said = build(tmp_path, {"index.md": "# T\n", **pages}, ["quiz"])
    for n, (name, (_content, _option, message)) in enumerate(BAD.items()):
        about = [line for line in said.splitlines() if f"{n}.md" in line and "ERROR" in line or "quiz:" in line]
        assert any(message in line for line in about), name


@pytest.fixture(scope="module")
def styled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    css = (Path(__file__).resolve().parents[2] / "book" / "_static" / "css" / "quiz.css").read_text(encoding="utf-8")
    out, said = build(
        tmp_path_factory.mktemp("styled"),
        {"index.md": PAGE, "_static/quiz.css": css},
        ["quiz"],
        html_static_path=["_static"],
        html_css_files=["quiz.css"],
    )
    assert said == ""
    return out / "index.html"


SHOWN = "[...document.querySelectorAll('.quiz-feedback')].map(e => e.checkVisibility())"


@pytest.mark.xdist_group("browser")
def test_feedback_comes_with_the_choice_by_keyboard_without_any_script(styled: Path, page: Any) -> None:
    page.open(styled)
    assert page.evaluate(SHOWN) == [False] * 5
    page.evaluate("document.querySelector('#quiz-one-1').focus()")
    press(page, " ", "Space", 32)
    assert page.evaluate(SHOWN) == [True, False, False, False, False]
    press(page, "ArrowDown", "ArrowDown", 40)
    assert page.evaluate(SHOWN) == [False, True, False, False, False]
    for ident in ("quiz-index-2-1", "quiz-index-2-3"):
        page.evaluate(f"document.querySelector('label[for={ident}]').click()")
    assert page.evaluate(SHOWN) == [False, True, True, False, True]


@pytest.mark.xdist_group("browser")
def test_print_shows_all_feedback(styled: Path, page: Any) -> None:
    page.open(styled)
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert page.evaluate(SHOWN) == [True] * 5
    finally:
        page.call("Emulation.setEmulatedMedia", media="")


def press(page: Any, key: str, code: str, number: int) -> None:
    for kind in ("keyDown", "keyUp"):
        text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
        page.call("Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=number, **text)
