"""Tables and transcripts of results: what is in the file is shown, what is not fails by name."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXTENSIONS = Path(__file__).resolve().parents[2] / "book" / "_ext"
ORIGIN = {"command": "python x.py", "date": "2026-11-21", "machine": "2 cores"}


@pytest.fixture(scope="module")
def results_table() -> ModuleType:
    """The extension, which imports its neighbour `num` as Sphinx lets it."""
    sys.path.insert(0, str(EXTENSIONS))
    try:
        spec = importlib.util.spec_from_file_location("book_results_table", EXTENSIONS / "results_table.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(EXTENSIONS))
    return module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = {"columns": ["case", "outcome"], "rows": [["one", "fine"], ["two", "also fine"]]}
    (tmp_path / "tried.json").write_text(json.dumps({"origin": ORIGIN, "values": {}, "tables": {"forging": made}}))
    (tmp_path / "run.json").write_text(json.dumps({"origin": ORIGIN, "values": {}}))
    (tmp_path / "run.txt").write_text("$ llmlab grade lab1\nKilled\n")
    return tmp_path


def test_a_table_is_found_with_its_origin(results_table: ModuleType, folder: Path) -> None:
    table, origin, path = results_table.table(folder, "tried.forging")
    assert results_table.chosen(table, []) == (["case", "outcome"], [["one", "fine"], ["two", "also fine"]])
    assert "python x.py" in origin and path.name == "tried.json"


def test_a_transcript_is_found_with_its_origin(results_table: ModuleType, folder: Path) -> None:
    text, origin, path = results_table.text(folder, "run")
    assert text == "$ llmlab grade lab1\nKilled" and "2026-11-21" in origin and path.name == "run.txt"


@pytest.mark.parametrize(
    ("name", "said"),
    [("tried.stealing", "no table 'stealing' in tried.json .known there: forging"), ("none.forging", "cannot be read")],
)
def test_an_unknown_table_is_named(results_table: ModuleType, folder: Path, name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        results_table.table(folder, name)


def test_a_transcript_without_its_file_is_named(results_table: ModuleType, folder: Path) -> None:
    (folder / "run.txt").unlink()
    with pytest.raises(ValueError, match="run.txt cannot be read"):
        results_table.text(folder, "run")


def test_a_column_or_a_row_that_does_not_fit_is_named(results_table: ModuleType) -> None:
    table = {"columns": ["a", "b"], "rows": [[1, 2]]}
    with pytest.raises(ValueError, match="no column 'c'; there are a, b"):
        results_table.chosen(table, ["c"])
    with pytest.raises(ValueError, match="another number of cells"):
        results_table.chosen(table | {"rows": [[1]]}, [])
