"""Every lab's notebook runs to its end on the solutions with full marks, and stops on the scaffolds at a task, by name.

The solved run is a real kernel; only the shipped models are the quick ones of the display run, whose logits are the
same. The untouched run stops at once, so its cells run in this process.
"""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import llmlab
from llmlab._finder import LAB_MODULES, LABS
from llmlab.grading.course import course
from tests.lab import labs

WATCHDOG = 300  # seconds for one cell before a hang is assumed; the whole notebook takes a fraction of it
QUICK = """
from llmlab import models as _models
from llmlab.harness.display.models import Quick as _Quick


def _load(name="target", dtype=None, _plain=_models.load):
    lm = _plain(name) if dtype is None else _plain(name, dtype)
    lm.next_logits = _Quick(lm)
    return lm


_models.load = _load
"""


def filled(lab: str) -> nbformat.NotebookNode:
    """The notebook with numbers that may be right."""
    notebook = copy.deepcopy(labs.source(lab))
    for cell in notebook.cells:
        if cell.get("id") == f"{lab}-answers":
            cell.source = f"ANSWERS = { {one.id: one.low for one in labs.questions(lab)} !r}"
    return notebook


@pytest.fixture(scope="module", params=labs.LABS)
def solved(request, tmp_path_factory):
    """(lab, notebook after a run on the solutions, the error that stopped it)."""
    lab = request.param
    notebook = filled(lab)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(QUICK))
    folder = tmp_path_factory.mktemp(lab)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMLAB_CODE", str(course().solutions))
        patch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        client = NotebookClient(notebook, timeout=WATCHDOG, resources={"metadata": {"path": str(folder)}})
        try:
            client.execute()
        except CellExecutionError as error:
            return lab, notebook, error
    return lab, notebook, None


def printed(notebook) -> str:
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    return "".join(o["text"] for o in outputs if o.get("name") == "stdout")


def test_the_solved_notebook_runs_to_its_end(solved):
    _, notebook, error = solved
    assert error is None, error
    assert not [o for cell in notebook.cells for o in cell.get("outputs", []) if o.get("name") == "stderr"]


def test_every_function_gets_its_points_in_the_notebook_and_every_number_may_be_right(solved):
    lab, notebook, _ = solved
    scored = 0
    for cell in notebook.cells:
        told = cell.metadata.get("nbgrader", {})
        if told.get("grade") and cell.source.startswith("llmlab.check("):
            result = [o for o in cell.outputs if o.output_type == "execute_result"]
            assert float(result[-1]["data"]["text/plain"]) == told["points"], told["grade_id"]
            scored += 1
        elif told.get("grade_id", "").startswith("answer-"):
            assert "is recorded" in "".join(o.get("text", "") for o in cell.outputs), cell.outputs
    assert scored == len(labs.tasks(lab))


def test_every_figure_is_shown_once_with_words(solved):
    for cell in solved[1].cells:
        if cell.cell_type == "code" and "figures." in cell.source and cell.source.rstrip().endswith(";"):
            shown = [o for o in cell.outputs if "image/png" in o.get("data", {})]
            assert len(shown) == 1, cell.source
            assert len(shown[0]["metadata"]["image/png"]["alt"].split()) > 8


def test_the_batch_of_lab_1_changed_nothing(solved):
    lab, notebook, _ = solved
    assert ("the batch changes nothing: True" in printed(notebook)) == (lab == "lab1")


@pytest.fixture
def scaffolds(tmp_path, monkeypatch):
    """Stand in a folder of untouched scaffolds; what was imported of others is put back afterwards."""
    package = course().package
    for module in LAB_MODULES:
        (tmp_path / f"{module}.py").write_bytes((package / f"{module}.py").read_bytes())
        monkeypatch.delitem(sys.modules, f"llmlab.{module}", raising=False)
        monkeypatch.delattr(llmlab, module, raising=False)
    monkeypatch.setenv("LLMLAB_CODE", str(tmp_path))
    yield tmp_path
    for module in LAB_MODULES:
        sys.modules.pop(f"llmlab.{module}", None)
        vars(llmlab).pop(module, None)


@pytest.mark.parametrize("lab", labs.LABS)
def test_the_untouched_notebook_stops_at_a_task_of_this_lab_and_names_it_and_every_check_gives_0(lab, scaffolds: Path):
    space: dict = {}
    scores = []
    with pytest.raises(NotImplementedError) as stopped:
        for cell in labs.source(lab).cells:
            if cell.cell_type == "code" and cell.source.startswith("llmlab.check("):
                scores.append(eval(cell.source, space))
            elif cell.cell_type == "code":
                exec(compile(cell.source, str(cell.id), "exec"), space)
    said = re.match(rf"Lab {lab.removeprefix('lab')}, task ([\w.]+): ", str(stopped.value))
    assert said and said[1] in [task.id for task in labs.tasks(lab)], str(stopped.value)
    assert scores and set(scores) == {0.0}
    assert said[1].partition(".")[0] in LABS[lab]
