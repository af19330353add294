"""Every lab's text: each task and question has its cell, nbgrader accepts them, no answer is given away."""

from __future__ import annotations

import ast
import re

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator

from llmlab.checks import answers, registry
from tests.lab import labs


def of(one) -> str:
    return one.id


@pytest.mark.parametrize("task", labs.TASKS, ids=of)
def test_every_task_has_one_locked_cell_worth_its_points(task):
    told, cell = labs.graded(task.lab)[task.id.replace(".", "-")]
    assert cell.source == f'llmlab.check("{task.id}")' and cell.cell_type == "code"
    assert (told["grade"], told["solution"], told["locked"]) == (True, False, True)
    assert told["points"] == task.points


@pytest.mark.parametrize("question", labs.QUESTIONS, ids=of)
def test_every_question_has_one_locked_cell_worth_its_points_and_is_asked_in_the_text(question):
    told, cell = labs.graded(question.lab)[f"answer-{question.id}"]
    assert cell.source == f'llmlab.check_answer("{question.id}", ANSWERS)' and cell.cell_type == "code"
    assert (told["grade"], told["solution"], told["locked"]) == (True, False, True)
    assert told["points"] == question.points
    texts = [one.source for one in labs.notebook(question.lab).cells if one.cell_type == "markdown"]
    assert any(f"`{question.id}`" in text for text in texts), f"no text cell asks `{question.id}`"


def test_every_lab_has_a_text():
    assert {task.lab for task in registry.tasks()} == set(labs.LABS)
    assert {question.lab for question in answers.QUESTIONS} <= set(labs.LABS)


@pytest.mark.parametrize("lab", labs.LABS)
def test_a_lab_is_worth_100_points(lab):
    assert sum(told["points"] for told, _ in labs.graded(lab).values() if told["grade"]) == 100


@pytest.mark.parametrize("lab", labs.LABS)
def test_there_are_no_other_graded_cells(lab):
    graded = labs.graded(lab)
    known = {task.id.replace(".", "-") for task in labs.tasks(lab)} | {f"answer-{q.id}" for q in labs.questions(lab)}
    rest = {name: told for name, (told, _) in graded.items() if name not in known}
    written = {name for name in rest if name.startswith("written-")}
    assert set(rest) - written == {f"{lab}-answers"} and written
    for name in written:
        told, cell = graded[name]
        assert cell.cell_type == "markdown" and told["grade"] and told["solution"] and not told["locked"]
        assert told["points"] > 0 and cell.source.startswith("Rubric")
    told, _ = graded[f"{lab}-answers"]
    assert told["solution"] and not told["grade"] and not told["locked"]


@pytest.mark.parametrize("lab", labs.LABS)
def test_nbgrader_accepts_every_cell(lab):
    MetadataValidator().validate_nb(labs.source(lab))
    for name, (told, _) in labs.graded(lab).items():
        assert re.fullmatch(r"[a-zA-Z0-9_\-]+", name), name  # what nbgrader's own editor allows
        assert told["schema_version"] == 3


@pytest.mark.parametrize("lab", labs.LABS)
def test_the_answers_cell_is_a_literal_dict_of_all_questions(lab):
    cell = next(cell for cell in labs.released(lab).cells if cell.get("id") == f"{lab}-answers")
    tree = ast.parse(cell.source)
    assert len(tree.body) == 1, f"the released cell does more than assign ANSWERS:\n{cell.source}"
    assert ast.literal_eval(tree.body[0].value) == {question.id: None for question in labs.questions(lab)}


@pytest.mark.parametrize("lab", labs.LABS)
def test_students_do_not_get_the_model_answers(lab):
    released = labs.released(lab)
    text = nbformat.writes(released)
    assert "Rubric" not in text and "BEGIN SOLUTION" not in text
    written = [cell.source for cell in released.cells
               if cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("written-")]
    assert written and set(written) == {"Write your answer here."}


@pytest.mark.parametrize("anchor", sorted({asked.read for asked in (*labs.TASKS, *labs.QUESTIONS)}))
def test_what_to_read_is_a_section_of_the_book(anchor):
    page, _, label = anchor.partition("#")
    chapter = labs.ROOT / "book" / page.replace(".html", ".md")
    assert f"({label})=" in chapter.read_text(encoding="utf-8")
