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


LAB = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [
        cell("intro", "# Read me\n\nLong text.", "markdown"),
        cell("setup", "import llmlab\nx = 1\ny = 2\nz = 3"),
        cell("answers", 'ANSWERS = {\n    "entropy": None,\n    "size": None,\n}', solution=True),
        cell("test", "check()", grade=True, locked=True, points=2),
        cell("ask-1", "**Why?**", "markdown"),
        cell("essay-1", "Write your answer here.", "markdown", grade=True, solution=True, points=3),
        cell("ask-2", "**How?**", "markdown"),
        cell("essay-2", "Write your answer here.", "markdown", grade=True, solution=True, points=3),
        cell("end", "## Hand in", "markdown"),
    ],
}


def stripped(change, lab=LAB):
    """What comes of a notebook that lost its metadata and ids, after a change to its cells."""
    notebook = copy.deepcopy(lab)
    change(notebook["cells"])
    for one in notebook["cells"]:
        one["metadata"] = {}
        one.pop("id", None)
    return rebuild(LAB, parse(json.dumps(notebook | {"nbformat_minor": 4})))


def texts(rebuilt):
    """name -> text of the master's cells, and the texts of added ones in their order."""
    found = {c["id"]: c["source"] for c in rebuilt.notebook["cells"]}
    return (
        {name: text for name, text in found.items() if not name.startswith("added")},
        [text for name, text in found.items() if name.startswith("added")],
    )


def expect(**changed):
    return {c["id"]: c["source"] for c in LAB["cells"]} | {
        name.replace("_", "-"): text for name, text in changed.items()
    }


def test_stripped_of_metadata_the_master_is_the_master():
    rebuilt = stripped(lambda cells: None)
    assert rebuilt.notebook == LAB
    assert rebuilt.notes == ("9 cells had lost their names and were known by text or place",)


def test_stripped_answers_are_known_by_the_name_they_assign():
    given = '# mine\nANSWERS = {"entropy": 1.5, "size": 3}'
    found, added = texts(stripped(lambda cells: cells[2].update(source=given)))
    assert found == expect(answers=given) and added == []


def test_stripped_answers_are_found_wherever_they_stand():
    def change(cells):
        cells[2]["source"] = 'ANSWERS = {"entropy": 1.5}'
        cells.append(cells.pop(2))

    assert texts(stripped(change))[0] == expect(answers='ANSWERS = {"entropy": 1.5}')


@pytest.mark.parametrize(
    "given", [{"essay_1": "One."}, {"essay_2": "Two."}, {"essay_1": "One.", "essay_2": "Two."}]
)
def test_stripped_written_answers_are_known_by_their_place(given):
    def change(cells):
        for name, text in given.items():
            cells[{"essay_1": 5, "essay_2": 7}[name]]["source"] = text

    assert texts(stripped(change)) == (expect(**given), [])


def test_a_stripped_written_answer_follows_its_question_also_in_another_order():
    def change(cells):
        cells[5]["source"], cells[7]["source"] = "One.", "Two."
        cells[4:8] = cells[6:8] + cells[4:6]

    assert texts(stripped(change)) == (expect(essay_1="One.", essay_2="Two."), [])


def test_of_several_cells_after_a_question_the_longest_is_the_answer():
    def change(cells):
        cells[7]["source"] = "Because the answer is long."
        cells.insert(7, {"cell_type": "markdown", "metadata": {}, "source": "A note."})
        cells.insert(9, {"cell_type": "markdown", "metadata": {}, "source": "Another."})

    found, added = texts(stripped(change))
    assert found == expect(essay_2="Because the answer is long.")
    assert sorted(added) == ["A note.", "Another."]


def test_two_answers_in_a_row_keep_their_order():
    lab = copy.deepcopy(LAB)
    del lab["cells"][6]
    notebook = copy.deepcopy(lab)
    notebook["cells"][5]["source"], notebook["cells"][6]["source"] = "One.", "Two, and longer."
    for one in notebook["cells"]:
        one["metadata"] = {}
        del one["id"]
    found, _ = texts(rebuild(lab, parse(json.dumps(notebook))))
    assert (found["essay-1"], found["essay-2"]) == ("One.", "Two, and longer.")


def test_stripped_cells_of_both_kinds_with_added_ones_between():
    def change(cells):
        cells[7]["source"] = "Two."
        cells.insert(7, {"cell_type": "code", "metadata": {}, "source": "1 + 1", "outputs": []})
        cells[1]["source"] = "import llmlab\nx = 1\ny = 2\nz = 4"

    found, added = texts(stripped(change))
    assert found == expect(essay_2="Two.", setup="import llmlab\nx = 1\ny = 2\nz = 4")
    assert added == ["1 + 1"]


def test_an_answer_in_a_new_cell_where_the_old_one_was_deleted_is_an_answer():
    notebook = copy.deepcopy(LAB)
    notebook["cells"][5] = {"cell_type": "markdown", "metadata": {}, "id": "new", "source": "One."}
    assert texts(rebuild(LAB, parse(json.dumps(notebook)))) == (expect(essay_1="One."), [])


def test_numbers_in_a_new_cell_count_if_the_old_one_is_as_released():
    fresh = {"cell_type": "code", "metadata": {}, "id": "new", "source": "ANSWERS = {'size': 1}"}
    for place in (1, 3, 9):
        notebook = copy.deepcopy(LAB)
        notebook["cells"].insert(place, fresh)
        assert texts(rebuild(LAB, parse(json.dumps(notebook))))[0]["answers"] == "ANSWERS = {'size': 1}"


def test_numbers_in_a_new_cell_do_not_replace_given_ones():
    notebook = copy.deepcopy(LAB)
    notebook["cells"][2]["source"] = "ANSWERS = {'size': 2}"
    fresh = {"cell_type": "code", "metadata": {}, "id": "new", "source": "ANSWERS = {'size': 1}"}
    notebook["cells"].insert(0, fresh)
    found, added = texts(rebuild(LAB, parse(json.dumps(notebook))))
    assert found["answers"] == "ANSWERS = {'size': 2}" and added == ["ANSWERS = {'size': 1}"]


def test_the_second_half_of_a_split_answer_is_kept_for_a_person_to_see():
    def change(cells):
        second = copy.deepcopy(cells[3])
        cells[3]["source"], second["source"] = "First half.", "Second half."
        cells.append(second)

    rebuilt = handed_in(change)
    assert [c["source"] for c in rebuilt.notebook["cells"]][-2:] == ["First half.", "Second half."]
    assert rebuilt.notebook["cells"][-1]["metadata"] == {}


def test_reordered_cells_are_put_in_order():
    notebook = copy.deepcopy(LAB)
    notebook["cells"].reverse()
    assert rebuild(LAB, parse(json.dumps(notebook))).notebook == LAB


def test_a_cell_cannot_take_the_place_of_a_locked_one_by_its_text():
    def change(cells):
        cells[3]["source"] = "100  # check()"

    found, added = texts(stripped(change))
    assert found == expect() and added == ["100  # check()"]


@pytest.mark.parametrize("minor", range(6))
def test_every_format_4_is_read(minor):
    notebook = copy.deepcopy(LAB) | {"nbformat_minor": minor}
    notebook["cells"][5]["source"] = "One."
    if minor < 5:
        for one in notebook["cells"]:
            del one["id"]
    assert texts(rebuild(LAB, parse(json.dumps(notebook)))) == (expect(essay_1="One."), [])


def test_format_3_is_read_as_nbformat_itself_writes_it():
    notebook = copy.deepcopy(LAB)
    notebook["cells"][2]["source"] = 'ANSWERS = {"size": 1}'
    notebook["cells"][5]["source"] = "One."
    old = nbformat.convert(nbformat.from_dict(notebook), 3)
    found, added = texts(rebuild(LAB, parse(nbformat.v3.writes_json(old))))
    assert found == expect(essay_1="One.", answers='ANSWERS = {"size": 1}') and added == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"cells": [], "big": ' + "1" * 100_000 + "}", None),
        ('{"cells": [], "big": 1e999999, "nan": NaN}', None),
        ('{"cells": []}' + "\0" * 4_096, None),
        ('{"cells": {"a": 1}}', "no list of cells"),
        ('{"worksheets": 3}', "no list of cells"),
        ('{"worksheets": [{"cells": 3}, 4]}', None),
    ],
)
def test_absurd_values_beside_the_cells_do_not_matter(text, why):
    if why is None:
        assert parse(text) == []
    else:
        with pytest.raises(NotebookError, match=why):
            parse(text)


def test_a_thousand_long_cells_without_names_are_matched_in_reasonable_work(monkeypatch):
    """Lines are compared as sets that are made once for each cell, not once for each pair."""
    from llmlab.grading import matching

    calls, lines = [], matching._lines
    monkeypatch.setattr(matching, "_lines", lambda source: calls.append(1) or lines(source))
    cells = [matching.Cell("markdown", f"text {n}\n" * 50) for n in range(1_000)]
    matching.match(LAB, cells)
    assert len(calls) <= 1_000 + len(LAB["cells"])
