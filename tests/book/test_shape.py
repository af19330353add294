"""The watch over a chapter's shape: it passes a whole chapter, and names each thing that is taken away."""

from __future__ import annotations

from pathlib import Path

import pytest
import shape
import yaml

from llmlab._finder import LABS

ROOT = Path(__file__).resolve().parents[2]
QUIZ = "```{quiz}\n:answer: 1\n\nWhy?\n\n- a\n\n  A.\n- b\n\n  B.\n```\n"
EXERCISE = ":::{exercise}\n:label: ex-a\nWrite it.\n:::\n"
SOLUTION = ":::{solution} ex-a\n:class: dropdown\nSo.\n:::\n"
CHECK = f"## Check yourself\n\n{QUIZ}\n{QUIZ}\nThen run `llmlab check decoding`.\n"
SUMMARY = "## Summary\n\n- One.\n- Two.\n- Three.\n"
LECTURE = "## What the lecture says\n\nRight ({ref}`row 0-04 <ledger-0-04>`).\n"
READING = "## Further reading\n\nRead {cite:t}`holtzman2020degeneration`.\n"
WHOLE = f"""---
kernelspec: {{name: python3}}
llmlab: {{minutes: 15, needs: [part1/start], lab: lab1}}
---

(sec-x)=
# A title

How many are kept?

(sec-y)=
## A section

**Predict.** Two?

```{{code-cell}} python
## no heading, and no question either
print(2)
```

```{{task}} decoding.top_p
```

{EXERCISE}
{SOLUTION}
{CHECK}
{SUMMARY}
{LECTURE}
{READING}"""
SAID = WHOLE.replace("llmlab: {minutes: 15, needs: [part1/start], lab: lab1}", "llmlab: {ABOUT}")


def gaps(text: str) -> list[str]:
    return shape.gaps(shape.parse("part1/x", text), ["part1/start", "part1/logits"], LABS)


def test_a_whole_chapter_lacks_nothing() -> None:
    assert gaps(WHOLE) == []


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("How many are kept?", "Some are kept.", "question: ask something"),
        ("**Predict.** Two?", "Two.", "predict: say"),
        ("{code-cell} python", "python", "run: there is nothing to run"),
        (EXERCISE, "", "exercise: there is no {exercise}"),
        (SOLUTION + "\n" + CHECK, f"## Another\n\n{EXERCISE.replace('ex-a', 'ex-b')}\n{SOLUTION}{CHECK}", "ex-b"),
        (f"{QUIZ}\n{QUIZ}", QUIZ, "check: two quizzes or more, not 1"),
        ("Then run `llmlab check decoding`.", "", "check: name the `llmlab check`"),
        ("- Three.\n", "", "summary: three sentences"),
        ("{ref}`row 0-04 <ledger-0-04>`", "row 0-04", "lecture: link to a row"),
        ("{cite:t}`holtzman2020degeneration`", "a paper", "reading: cite"),
        (CHECK, "", "check: there is no section"),
        (SUMMARY, "", "summary: there is no section"),
        (LECTURE, "", "lecture: there is no section"),
        (READING, "", "reading: there is no section"),
        (f"{SUMMARY}\n{LECTURE}", f"{LECTURE}\n{SUMMARY}", "order: Check yourself, What the lecture says, Summary"),
        (READING, READING + "\n## One more thing\n", "should be the last sections"),
    ],
)
def test_each_part_that_is_missing_is_named(old: str, new: str, named: str) -> None:
    assert old in WHOLE
    found = gaps(WHOLE.replace(old, new))
    assert len(found) == 1 and named in found[0], found


@pytest.mark.parametrize(
    ("about", "named"),
    [
        ("minutes: 15, needs: []", "lacks lab"),
        ("minutes: 15, needs: [], lab: lab1, level: 2", "no field level"),
        ("minutes: 300, needs: [], lab: lab1", "300 minutes, but its length speaks for about"),
        ("minutes: 15, needs: [part4/speculative], lab: lab1", "part4/speculative, which is no chapter above"),
        ("minutes: 15, needs: [], lab: lab9", "there is no lab 'lab9'"),
        ("minutes: 15, needs: [], lab: lab2", "its tasks belong to lab1"),
        ("minutes: 15, needs: [], lab: lab1, without: {summary: it has none at all}", "but the chapter has it"),
        ("minutes: 15, needs: [], lab: lab1, without: {joke: there is no joke}", "the parts are question, predict"),
    ],
)
def test_front_matter_that_does_not_fit_is_named(about: str, named: str) -> None:
    found = gaps(SAID.replace("ABOUT", about))
    assert len(found) == 1 and named in found[0], found


def test_an_exception_needs_a_reason() -> None:
    text = SAID.replace(LECTURE, "")
    about = "minutes: 15, needs: [], lab: lab1, without: {lecture: REASON}"
    assert gaps(text.replace("ABOUT", about).replace("REASON", "the lectures do not touch this")) == []
    assert "say why" in gaps(text.replace("ABOUT", about).replace("REASON", "none"))[0]


def test_an_exercise_with_a_task_in_its_section_needs_no_solution() -> None:
    assert gaps(WHOLE.replace(SOLUTION, "")) == []


def test_the_chapters_are_those_of_the_table_of_contents() -> None:
    listed = [c["file"] for part in yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"] for c in part["chapters"]]
    parts = shape.read(ROOT)
    names = [f"book/{c.name}" for part in parts for c in part.chapters]
    assert names == [name for name in listed if name.startswith("book/part")] and len(parts) == 4
    files = {p.relative_to(ROOT).with_suffix("").as_posix() for p in (ROOT / "book").glob("part*/*.md")}
    assert files == set(names), "every chapter is in the table of contents"


def test_every_chapter_of_the_book_has_its_shape() -> None:
    assert shape.all_gaps(shape.read(ROOT), LABS) == {}
