"""The notebook runs to its end on the solutions, and stops on the scaffolds at the first task, by name."""

from __future__ import annotations

import copy
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from llmlab._finder import LAB_MODULES
from llmlab.grading.course import course
from llmlab.grading.places import desk
from llmlab.grading.release import source_notebook

WATCHDOG = 300  # seconds for one cell before a hang is assumed; the whole notebook takes a fraction of it


def run(folder: Path, tmp_path: Path, monkeypatch) -> tuple[nbformat.NotebookNode, CellExecutionError | None]:
    """The notebook after a run with the modules of `folder`, and the error that stopped it."""
    monkeypatch.setenv("LLMLAB_CODE", str(folder))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    notebook = copy.deepcopy(source_notebook(desk("lab1", course())))
    client = NotebookClient(notebook, timeout=WATCHDOG, resources={"metadata": {"path": str(tmp_path)}})
    try:
        client.execute()
    except CellExecutionError as error:
        return notebook, error
    return notebook, None


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return run(course().solutions, tmp_path_factory.mktemp("solved"), patch)


def test_the_solved_notebook_runs_to_its_end(solved):
    notebook, error = solved
    assert error is None, error
    assert not [o for cell in notebook.cells for o in cell.get("outputs", []) if o.get("name") == "stderr"]


def test_every_function_gets_its_points_in_the_notebook(solved):
    scored = 0
    for cell in solved[0].cells:
        told = cell.metadata.get("nbgrader", {})
        if told.get("grade") and cell.source.startswith("llmlab.check("):
            result = [o for o in cell.outputs if o.output_type == "execute_result"]
            assert float(result[-1]["data"]["text/plain"]) == told["points"], told["grade_id"]
            scored += 1
    assert scored == len(desk("lab1", course()).tasks)


def test_every_figure_is_shown_once_with_words(solved):
    for cell in solved[0].cells:
        if cell.cell_type == "code" and "figures." in cell.source and cell.source.rstrip().endswith(";"):
            shown = [o for o in cell.outputs if "image/png" in o.get("data", {})]
            assert len(shown) == 1, cell.source
            assert len(shown[0]["metadata"]["image/png"]["alt"].split()) > 8


def test_the_batch_changed_nothing(solved):
    outputs = [o for cell in solved[0].cells for o in cell.get("outputs", [])]
    text = "".join(o["text"] for o in outputs if o.get("name") == "stdout")
    assert "the batch changes nothing: True" in text


def test_the_untouched_notebook_stops_at_the_first_task_and_names_it(tmp_path, monkeypatch):
    package = course().package
    for module in LAB_MODULES:
        (tmp_path / f"{module}.py").write_bytes((package / f"{module}.py").read_bytes())
    notebook, error = run(tmp_path, tmp_path, monkeypatch)
    assert error is not None and error.ename == "NotImplementedError"
    assert error.evalue.startswith("Lab 1, task decoding.log_probs:")
    stopped = next(cell for cell in notebook.cells
                   if any(o.output_type == "error" for o in cell.get("outputs", [])))
    before = notebook.cells[:notebook.cells.index(stopped)]
    check = next(cell for cell in before if cell.source == 'llmlab.check("decoding.log_probs")')
    results = [o["data"]["text/plain"] for o in check.outputs if o.output_type == "execute_result"]
    assert [float(result) for result in results] == [0.0]
