"""The lab's text: every task and question has its cell, nbgrader accepts them, no answer is given away."""

from __future__ import annotations

import ast
import re

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.preprocessors import ClearSolutions
from traitlets.config.loader import PyFileConfigLoader

from llmlab.checks import answers, registry
from llmlab.grading.course import course
from llmlab.grading.places import desk
from llmlab.grading.release import source_notebook

LAB = "lab1"
TASKS = [task for task in registry.tasks() if task.lab == LAB]
QUESTIONS = [question for question in answers.QUESTIONS if question.lab == LAB]


@pytest.fixture(scope="module")
def graded(notebook):
    """grade_id -> (metadata, cell) of every cell that nbgrader knows."""
    cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    found = {cell.metadata["nbgrader"]["grade_id"]: cell for cell in cells}
    assert len(found) == len(cells), "a grade_id is used twice"
    return {name: (cell.metadata["nbgrader"], cell) for name, cell in found.items()}


@pytest.fixture(scope="module")
def released():
    """What students get: the notebook after nbgrader's ClearSolutions with the course's configuration."""
    at = desk(LAB, course())
    config = PyFileConfigLoader("nbgrader_config.py", path=str(at.root)).load_config()
    made, _ = ClearSolutions(config=config).preprocess(source_notebook(at), {})
    return made


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_every_task_has_one_locked_cell_worth_its_points(graded, task):
    told, cell = graded[task.id.replace(".", "-")]
    assert cell.source == f'llmlab.check("{task.id}")' and cell.cell_type == "code"
    assert (told["grade"], told["solution"], told["locked"]) == (True, False, True)
    assert told["points"] == task.points


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_every_question_has_one_locked_cell_worth_its_points(graded, question):
    told, cell = graded[f"answer-{question.id}"]
    assert cell.source == f'llmlab.check_answer("{question.id}", ANSWERS)' and cell.cell_type == "code"
    assert (told["grade"], told["solution"], told["locked"]) == (True, False, True)
    assert told["points"] == question.points


def test_there_are_no_other_graded_cells(graded):
    known = {task.id.replace(".", "-") for task in TASKS} | {f"answer-{asked.id}" for asked in QUESTIONS}
    rest = {name: told for name, (told, _) in graded.items() if name not in known}
    written = {name for name in rest if name.startswith("written-")}
    assert set(rest) - written == {"lab1-answers"} and len(written) == 2
    for name in written:
        told, cell = graded[name]
        assert cell.cell_type == "markdown" and told["grade"] and told["solution"] and not told["locked"]
        assert told["points"] > 0
    told, _ = graded["lab1-answers"]
    assert told["solution"] and not told["grade"] and not told["locked"]


def test_nbgrader_accepts_every_cell(graded):
    made = source_notebook(desk(LAB, course()))
    MetadataValidator().validate_nb(made)
    for name, (told, _) in graded.items():
        assert re.fullmatch(r"[a-zA-Z0-9_\-]+", name), name  # what nbgrader's own editor allows
        assert told["schema_version"] == 3


def test_the_answers_cell_is_a_literal_dict_of_all_questions(released):
    cell = next(cell for cell in released.cells if cell.get("id") == "lab1-answers")
    tree = ast.parse(cell.source)
    assert len(tree.body) == 1, f"the released cell does more than assign ANSWERS:\n{cell.source}"
    assert ast.literal_eval(tree.body[0].value) == {question.id: None for question in QUESTIONS}


def test_students_do_not_get_the_model_answers(released):
    text = nbformat.writes(released)
    assert "Rubric, 2 points each" not in text and "BEGIN SOLUTION" not in text
    written = [cell.source for cell in released.cells
               if cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("written-")]
    assert written == ["Write your answer here."] * 2


def test_the_questions_are_those_of_the_keys(notebook, hidden, keys):
    """The prompts, numbers and settings that the keys are computed with stand in the text."""
    assert set(keys) == {question.id for question in QUESTIONS}
    text = "\n".join(cell.source for cell in notebook.cells)
    assert f'PROMPT = "{hidden.PROMPT}"' in text
    assert "BEAM_PROMPTS = (" + ", ".join(f'"{prompt}"' for prompt in hidden.BEAM_PROMPTS) + ")" in text
    assert f'without_end, [lm.encode("{hidden.LOOP_PROMPT}")], max_new_tokens={hidden.LOOP_TOKENS}' in text
    assert f"max_new_tokens={hidden.BEAM_TOKENS}, length_penalty=0.0" in text
    for words in ("$T = 1.5$, then top-k with $k = 20$ and top-p with $p = 0.8$", "$T = 1$, $p = 0.9$",
                  "3 tokens and log-probability −3.2", "7 tokens and −5.1", "at $T = 2$, in nats",
                  "$z = (2, -2)$", "$\\theta = 1.5$"):
        assert words in text, words


def test_no_key_stands_in_the_text(notebook, keys):
    text = "\n".join(cell.source for cell in notebook.cells if not cell.source.startswith("Rubric"))
    for name, key in keys.items():
        if key.value != int(key.value):
            assert f"{key.value:.3f}" not in text, name


@pytest.mark.parametrize("anchor", sorted({asked.read for asked in (*TASKS, *QUESTIONS)}))
def test_what_to_read_is_a_section_of_the_book(anchor):
    page, _, label = anchor.partition("#")
    chapter = course().root / "book" / page.replace(".html", ".md")
    assert f"({label})=" in chapter.read_text(encoding="utf-8")
