"""Looks at a student's files without running them, and says what is unusual. Every finding is one sentence.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from llmlab._finder import LAB_MODULES, PACKAGE, short_hash

BIG_MODULE, BIG_NOTEBOOK = 2**20, 20 * 2**20
UNREADABLE = (
    SyntaxError,
    ValueError,
    RecursionError,
    MemoryError,
)  # what ast raises on text that is not Python


def module(name: str, source: bytes, folder: Path) -> list[str]:
    """What is unusual about a lab module's source; `folder` is where it lies."""
    file, said = f"{name}.py", []
    if not source.strip():
        return [f"{file} is empty."]
    scaffold = (PACKAGE / file).read_bytes()
    if source == scaffold:
        return [f"{file} is the untouched scaffold: nothing is written yet."]
    if len(source) > BIG_MODULE:
        said.append(f"{file} has {len(source):,} bytes; that is unusually large.")
    try:
        tree = ast.parse(source)
        asked = ast.parse(scaffold)
    except UNREADABLE as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
        return [*said, f"{file}{line}: {reason}. The file cannot be run, so no task of it can get points."]
    there = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    wanted = [
        node.name
        for node in asked.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_"
    ]
    bound = {
        n.id
        for node in tree.body
        for n in ast.walk(node)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    gone = [one for one in wanted if one not in there and one not in bound]
    open_ = [one for one in wanted if one in there and _refuses(there[one])]
    if gone:
        said.append(f"{file} lacks {', '.join(gone)}: keep the names of the scaffold.")
    if open_:
        said.append(f"{file}: not written yet: {', '.join(open_)}.")
    return said + _imports(file, tree, folder)


def _refuses(node: ast.AST) -> bool:
    """True if it still holds the scaffold's own refusal."""
    for inner in ast.walk(node):
        if (
            isinstance(inner, ast.Raise)
            and isinstance(inner.exc, ast.Call)
            and getattr(inner.exc.func, "id", "") == "NotImplementedError"
            and "task " in ast.unparse(inner.exc)
        ):
            return True
    return False


def _imports(file: str, tree: ast.AST, folder: Path) -> list[str]:
    said, seen = [], set()
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""] if not node.level else ["."]
        for name in names:
            top = name.partition(".")[0]
            if name in seen:
                continue
            seen.add(name)
            lab = name.removeprefix("llmlab.").partition(".")[0]
            if name.startswith("llmlab.") and lab in LAB_MODULES or name in LAB_MODULES:
                said.append(
                    f"{file} imports the lab module {lab}. Lab modules are checked one by one; "
                    "there it is the "
                    "empty scaffold."
                )
            elif name == ".":
                said.append(f"{file} has a relative import; it works neither in a check nor in grading.")
            elif top not in sys.stdlib_module_names and (
                (folder / f"{top}.py").exists() or (folder / top / "__init__.py").exists()
            ):
                said.append(
                    f"{file} imports {top}, a file of yours that is not packed. Put its code into {file}."
                )
            elif top not in sys.stdlib_module_names and not _installed(top):
                said.append(
                    f"{file} imports {top}, which is not installed here and may not be where it is graded."
                )
    return said


def _installed(top: str) -> bool:
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def cells(raw: bytes) -> list[dict[str, Any]] | None:
    """The cells of a notebook, or None if it is not one."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    found = data.get("cells") if isinstance(data, dict) else None
    return found if isinstance(found, list) and all(isinstance(cell, dict) for cell in found) else None


def text(cell: dict[str, Any]) -> str:
    """A cell's source, which may be stored as one string or as lines."""
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def told(cell: dict[str, Any]) -> dict[str, Any]:
    """The cell's nbgrader metadata, {} if it has none."""
    metadata = cell.get("metadata")
    found = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def notebook(name: str, raw: bytes, master: bytes | None) -> list[str]:
    """What is unusual about a notebook, beside its released form `master` where that is known."""
    mine = cells(raw)
    if mine is None:
        return [
            f"{name} is not a readable notebook (damaged or not saved whole). Open it in Jupyter "
            "and save it again."
        ]
    said = []
    if len(raw) > BIG_NOTEBOOK:
        said.append(f"{name} has {len(raw):,} bytes; clear large outputs before handing in.")
    if raw == master:
        return [*said, f"{name} is as it was released: nothing was saved in it. Did you save it in Jupyter?"]
    code = [cell for cell in mine if cell.get("cell_type") == "code"]
    if code and all(cell.get("execution_count") is None for cell in code):
        said.append(f"{name}: no cell was run, or its outputs were cleared.")
    failed = sum(
        any(isinstance(out, dict) and out.get("output_type") == "error" for out in _outputs(cell))
        for cell in code
    )
    if failed:
        said.append(f"{name}: {failed} {'cell ends' if failed == 1 else 'cells end'} in an error.")
    return said + _against(name, mine, cells(master) if master else None)


def _outputs(cell: dict[str, Any]) -> list:
    found = cell.get("outputs")
    return found if isinstance(found, list) else []


def _against(name: str, mine: list[dict], master: list[dict] | None) -> list[str]:
    """Graded cells that are gone, doubled, changed where they are locked, or unanswered."""
    counts = Counter(str(told(cell).get("grade_id")) for cell in mine if told(cell))
    said = [
        f"{name}: the cell {one} is there {n} times; only one can count."
        for one, n in counts.items()
        if n > 1
    ]
    here = {str(told(cell).get("grade_id")): cell for cell in mine if told(cell)}
    for cell in master or []:
        about = told(cell)
        grade_id = str(about.get("grade_id"))
        if not about:
            continue
        if grade_id not in here:
            said.append(f"{name}: the cell {grade_id} was deleted.")
        elif about.get("locked") and text(here[grade_id]).strip() != text(cell).strip():
            said.append(f"{name}: the locked cell {grade_id} was changed; grading uses the released one.")
        elif about.get("solution") and text(here[grade_id]).strip() == text(cell).strip():
            said.append(f"{name}: {grade_id} is unanswered.")
    for cell in mine:
        if str(told(cell).get("grade_id", "")).endswith("-answers") and cell.get("cell_type") == "code":
            said += _answers(name, text(cell))
    return said


def _answers(name: str, source: str) -> list[str]:
    try:
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ANSWERS":
                values = ast.literal_eval(node.value)
                none = [str(key) for key, value in values.items() if value is None]
                return [f"{name}: no answer yet to {', '.join(none)}."] if none else []
    except (*UNREADABLE, TypeError, AttributeError):
        return [
            f"{name}: ANSWERS must be a dict of plain numbers; grading reads it without running "
            "it, and cannot read this."
        ]
    return [f"{name}: the cell of the numeric answers has no ANSWERS = {{...}}."]


def stale(name: str, raw: bytes, files: dict[str, tuple[bytes, float]]) -> list[str]:
    """Whether the notebook's check outputs are about other versions of the packed modules, by the hashes
    they print.
    """
    printed = json.dumps([_outputs(cell) for cell in cells(raw) or []])
    said = []
    for file, (data, _) in files.items():
        shown = set(re.findall(rf"{re.escape(file)} \(([0-9a-f]{{12}})\)", printed))
        if shown and short_hash(data) not in shown:
            said.append(
                f"{name} shows checks of an older {file}. Run its check cells again and save, so "
                "that you see what "
                "you hand in."
            )
    return said
