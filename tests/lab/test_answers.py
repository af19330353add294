"""Every lab's numeric questions: the right value passes, every known mistake is named, nothing else is accepted.

That the right values are right is held by test_lab1_answers.py and its like, which compute them by other code.
"""

from __future__ import annotations

import math

import pytest

from llmlab.checks import answers as public
from llmlab.grading import answers as grading
from tests.lab import labs


@pytest.mark.parametrize("lab", labs.LABS)
def test_keys_and_questions_are_the_same(lab):
    assert set(labs.keys(lab)) == {question.id for question in labs.questions(lab)}


@pytest.mark.parametrize("lab", labs.LABS)
def test_the_keys_of_every_lab_are_computed_again_by_other_code(lab):
    """In a file of its own, which names every question."""
    file = labs.ROOT / "tests" / "lab" / f"test_{lab}_answers.py"
    assert file.is_file(), f"write {file.name}: it computes the keys of {lab} without solutions/hidden/{lab}_answers.py"
    text = file.read_text(encoding="utf-8")
    assert [question.id for question in labs.questions(lab) if f'"{question.id}"' not in text] == []


@pytest.mark.parametrize("question", labs.QUESTIONS, ids=lambda question: question.id)
def test_the_right_value_passes_and_every_known_mistake_is_named(question):
    key = labs.keys(question.lab)[question.id]
    value = int(key.value) if question.whole else round(key.value, 3)
    assert grading.judge(question, key, value).ok
    assert len(key.wrong) >= 3
    for mistake, (wrong, words) in key.wrong.items():
        shown = int(wrong) if question.whole else round(wrong, 4)
        assert abs(shown - key.value) > 2 * key.tol, f"{mistake} is nearly right: take another question"
        verdict = grading.judge(question, key, shown)
        assert not verdict.ok and verdict.misconception == mistake, (mistake, shown, verdict)
        assert verdict.message == words and f"{key.value:.3f}" not in words


@pytest.mark.parametrize("question", labs.QUESTIONS, ids=lambda question: question.id)
def test_another_number_is_wrong_without_a_name(question):
    key = labs.keys(question.lab)[question.id]
    low = question.low if math.isfinite(question.low) else 0.0
    odd = round(low) + 977 if question.whole else low + 0.0123
    verdict = grading.judge(question, key, odd)
    assert not verdict.ok and not verdict.misconception, verdict


@pytest.mark.parametrize("lab", labs.LABS)
def test_no_key_stands_in_the_text(lab):
    text = "\n".join(cell.source for cell in labs.notebook(lab).cells if not cell.source.startswith("Rubric"))
    for name, key in labs.keys(lab).items():
        if key.value != int(key.value):
            assert f"{key.value:.3f}" not in text, name


@pytest.mark.parametrize(("value", "words"), [
    (None, "replace None"), ("3", "without quotes"), (True, "bool"), ([1.0], "list"), (math.nan, "finite"),
    (math.inf, "finite"), (10**400, "an integer of"), (1 + 2j, "complex"),
])
def test_the_public_check_refuses_what_no_answer_can_be(value, words):
    for question in labs.QUESTIONS:
        verdict = public.judge_format(question, value)
        assert not verdict.ok and words in verdict.message and len(verdict.message) < 250


@pytest.mark.parametrize("question", labs.QUESTIONS, ids=lambda question: question.id)
def test_the_public_check_refuses_what_lies_outside_the_bounds_and_accepts_the_right_value(question):
    key = labs.keys(question.lab)[question.id]
    assert public.judge_format(question, int(key.value) if question.whole else key.value).ok
    assert math.isfinite(question.low), "a negative number where none can be is not told"
    for outside in (question.low - 1, question.high + 1):
        if math.isfinite(outside):
            verdict = public.judge_format(question, outside)
            assert not verdict.ok and "between" in verdict.message


@pytest.mark.parametrize("question", [one for one in labs.QUESTIONS if one.whole], ids=lambda question: question.id)
def test_a_count_must_be_whole(question):
    value = labs.keys(question.lab)[question.id].value
    verdict = public.judge_format(question, value + 0.5)
    assert not verdict.ok and f"{value + 0.5:.10g} is not a whole number" in verdict.message
    assert public.judge_format(question, float(value)).ok


def test_a_wrong_question_says_what_there_is(capsys):
    import llmlab

    llmlab.check_answer("entropy", {})
    llmlab.check_answer("entropy-t1", [1])
    told = capsys.readouterr().out
    assert "There is no question 'entropy'. There are: entropy-t1" in told and "ANSWERS is a list" in told
    assert told.count("\n") == 2
