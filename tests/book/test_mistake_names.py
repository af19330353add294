"""A quiz may call a wrong answer by the name that a check has for it: `accepts-if-equal`. Such a name must be one that a check
of the course really says; a name that a check gave up would send readers after something they never meet. Reads files only."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import llmlab

ROOT = Path(llmlab.__file__).parents[1]
QUIZ = re.compile(r"^```\{quiz\}\n(.*?)\n```$", re.M | re.S)
NAME = re.compile(r"(?<!\})`([a-z0-9]+(?:-[a-z0-9]+)+)`")
"""Words with hyphens in code style, and not the argument of a role such as {ref}."""


def names_in(text: str) -> set[str]:
    """Names of mistakes in the quizzes of a chapter."""
    return {name for quiz in QUIZ.findall(text) for name in NAME.findall(quiz)}


def said_by_checks() -> set[str]:
    """Every string that stands in the code of a check."""
    return {
        node.value
        for file in (ROOT / "llmlab" / "checks").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_the_mistakes_that_quizzes_name_are_those_that_checks_name() -> None:
    known = said_by_checks()
    named = {
        chapter.stem: names_in(chapter.read_text(encoding="utf-8"))
        for chapter in sorted((ROOT / "book").glob("part*/*.md"))
    }
    assert sum(map(len, named.values())) > 50
    assert {chapter: names - known for chapter, names in named.items() if names - known} == {}


def test_a_name_that_no_check_says_is_found() -> None:
    page = "```{quiz}\n:answer: 1\n\nWhy?\n\n- A\n\n  See `accepts-if-equall` in {ref}`sec-lecture-rule`.\n```\n`not-in-a-quiz`"
    assert names_in(page) == {"accepts-if-equall"}
    assert names_in(page) - said_by_checks() and {"accepts-if-equal"} <= said_by_checks()
