"""Rebuilding a notebook on the released one: literal notebooks in, literal notebooks out."""

import copy
import json

import nbformat
import pytest

from llmlab.grading.rebuild import NotebookError, parse, rebuild


def cell(name, source, kind="code", **told):
    made = {"cell_type": kind, "id": name, "metadata": {}, "source": source}
    if told:
        made["metadata"]["nbgrader"] = {
            "grade_id": name,
            "grade": False,
            "solution": False,
            "schema_version": 3,
        } | told
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {})


MASTER = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "P"}},
    "cells": [
        cell("intro", "# Read me", "markdown"),
        cell("answers", "ANSWERS = {}", solution=True),
        cell("test", "check()", grade=True, locked=True, points=2),
        cell("essay", "Write here", "markdown", grade=True, solution=True, points=3),
    ],
}


def handed_in(change):
    notebook = copy.deepcopy(MASTER)
    change(notebook["cells"])
    return rebuild(MASTER, parse(json.dumps(notebook)))


def sources(rebuilt):
    return {c["id"]: c["source"] for c in rebuilt.notebook["cells"]}


def test_the_students_text_comes_in_and_nothing_else():
    def change(cells):
        cells[1] |= {
            "source": ["ANSWERS = ", "{'a': 1}"],
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}],
        }
        cells[1]["metadata"]["nbgrader"] |= {"points": 99, "grade": True}
        cells[2]["metadata"]["nbgrader"] |= {"points": 99}
        cells[2]["source"] = "100"
        cells[3]["source"] = "Because."

    rebuilt = handed_in(change)
    assert sources(rebuilt) == {
        "intro": "# Read me",
        "answers": "ANSWERS = {'a': 1}",
        "test": "check()",
        "essay": "Because.",
    }
    assert [c["metadata"] for c in rebuilt.notebook["cells"]] == [c["metadata"] for c in MASTER["cells"]]
    assert rebuilt.notebook["cells"][1]["outputs"] == []
    assert rebuilt.notes == ("cell test is locked; its released text was put back",)


def test_an_untouched_notebook_is_the_master():
    assert handed_in(lambda cells: None).notebook == MASTER


def test_deleted_cells_come_back():
    rebuilt = handed_in(lambda cells: cells.__delitem__(slice(2, 4)))
    assert rebuilt.notebook == MASTER
    assert rebuilt.notes == (
        "cell test was deleted and has been put back",
        "cell essay was deleted and has been put back",
    )


def test_of_duplicates_the_first_changed_one_counts():
    def change(cells):
        first, second = copy.deepcopy(cells[3]), copy.deepcopy(cells[3])
        first["source"], second["source"] = "One.", "Two."
        cells += [first, second]

    rebuilt = handed_in(change)
    assert sources(rebuilt)["essay"] == "One."
    assert rebuilt.notes == ("cell essay was there 3 times; the first one that was changed counts",)


def test_an_emptied_answer_is_no_answer():
    assert handed_in(lambda cells: cells[3].update(source="  \n")).notebook == MASTER


def test_added_cells_stay_where_they_stood_and_can_show_nothing_raw():
    def change(cells):
        cells.insert(
            2,
            {
                "cell_type": "raw",
                "metadata": {"raw_mimetype": "text/html"},
                "source": "<script>alert(1)</script>",
            },
        )
        cells.insert(
            0,
            {
                "cell_type": "code",
                "metadata": {"nbgrader": {"grade": True, "grade_id": "mine", "points": 9}},
                "source": "1 + 1",
                "outputs": [{"output_type": "execute_result", "data": {"text/plain": "9"}}],
            },
        )

    cells = handed_in(change).notebook["cells"]
    assert [c["source"] for c in cells][:4] == [
        "1 + 1",
        "# Read me",
        "ANSWERS = {}",
        "    <script>alert(1)</script>\n",
    ]
    assert cells[0]["metadata"] == {} and cells[0]["outputs"] == []
    assert cells[3]["cell_type"] == "markdown"
    nbformat.validate(nbformat.from_dict(handed_in(change).notebook))


def test_a_changed_cell_type_does_not_matter():
    assert (
        sources(handed_in(lambda cells: cells[3].update(cell_type="code", source="text", outputs=[])))[
            "essay"
        ]
        == "text"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[]", "a list, not a notebook"),
        ("{}", "no list of cells"),
        ("[" * 100_000, "not JSON"),
        (json.dumps({"nbformat": 4, "cells": [{}] * 1_001}), "1001 cells; the limit is 1000"),
    ],
)
def test_what_is_no_notebook_says_so(text, why):
    with pytest.raises(NotebookError, match=why):
        parse(text)


@pytest.mark.parametrize(
    "odd",
    [
        None,
        7,
        {"cell_type": "code"},
        {"cell_type": "code", "source": 5},
        {"cell_type": "x", "source": "a"},
        {"cell_type": "code", "source": "a", "metadata": 3},
        {"cell_type": "markdown", "source": "\ud800", "id": 3},
        {"cell_type": "code", "source": "a", "metadata": {"nbgrader": {"grade_id": ["essay"]}}},
        {"cell_type": "markdown", "source": "a", "attachments": {"x": 5, "y": {"image/svg+xml": "<svg/>"}}},
    ],
)
def test_odd_cells_are_survived(odd):
    rebuilt = rebuild(MASTER, parse(json.dumps({"nbformat": 4, "cells": [odd, *MASTER["cells"]]})))
    nbformat.validate(nbformat.from_dict(rebuilt.notebook))
    assert {name: text for name, text in sources(rebuilt).items() if not name.startswith("added")} == {
        c["id"]: c["source"] for c in MASTER["cells"]
    }


def test_an_old_notebook_is_converted():
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {},
        "worksheets": [
            {
                "cells": [
                    {
                        "cell_type": "markdown",
                        "metadata": {"nbgrader": {"grade_id": "essay"}},
                        "source": "Old.",
                    }
                ]
            }
        ],
    }
    assert sources(rebuild(MASTER, parse(json.dumps(old))))["essay"] == "Old."
