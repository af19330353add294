"""Rebuilds a submitted notebook on the released one. Works on parsed JSON; reads no file and runs nothing.

The released notebook (the master) gives the order, every id, every point and all locked text. From the
student come only the text of the cells they may write in, and the cells they added, which stay where they
stood. Stored outputs are left out.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import nbformat

from llmlab.grading.ledger import digest

MAX_CELLS = 1_000
MAX_SOURCE = 200_000
CONVERSION = (LookupError, TypeError, ValueError, AttributeError, RecursionError, nbformat.ValidationError)
"""How the converters of old formats fail on odd input."""
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif")


class NotebookError(ValueError):
    """The notebook cannot be read; the message says why."""


@dataclass(frozen=True)
class Cell:
    """What is taken from a submitted cell: text, kind, the names it may be known by, pasted images."""

    kind: str
    source: str
    names: tuple[str, ...] = ()
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rebuilt:
    """The notebook to grade, and what was put right, in words."""

    notebook: dict[str, Any]
    notes: tuple[str, ...]


def parse(text: str) -> list[Cell]:
    """The cells of a notebook's JSON text. Raises NotebookError if it is not a notebook."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"it is not JSON ({str(error)[:120]})") from None
    if not isinstance(data, dict):
        raise NotebookError(f"it holds a {type(data).__name__}, not a notebook")
    if data.get("nbformat") in (1, 2, 3):
        try:
            data = nbformat.convert(nbformat.from_dict(data), 4)
        except CONVERSION as error:
            raise NotebookError(
                f"it is of format {data['nbformat']} and cannot be converted: {error}"
            ) from None
    cells = data.get("cells")
    if not isinstance(cells, list):
        raise NotebookError("it has no list of cells")
    if len(cells) > MAX_CELLS:
        raise NotebookError(f"it has {len(cells)} cells; the limit is {MAX_CELLS}")
    return [cell for raw in cells if (cell := _cell(raw)) is not None]


def _cell(raw: Any) -> Cell | None:
    if not isinstance(raw, dict) or raw.get("cell_type") not in ("code", "markdown", "raw"):
        return None
    source = raw.get("source", "")
    if isinstance(source, list) and all(isinstance(part, str) for part in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    if len(source) > MAX_SOURCE:
        source = source[:MAX_SOURCE] + f"\n[cut here: a cell may hold {MAX_SOURCE} characters]"
    metadata = raw.get("metadata") if isinstance(raw.get("metadata"), dict) else {}
    told = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
    names = [
        f"{prefix}{name}"
        for prefix, name in (("grade:", told.get("grade_id")), ("id:", raw.get("id")))
        if isinstance(name, str)
    ]
    clean = source.encode("utf-8", "replace").decode()  # lone surrogates cannot be written
    return Cell(raw["cell_type"], clean, tuple(names), dict(_images(raw.get("attachments"))))


def _images(attachments: Any) -> Iterator[tuple[str, dict[str, str]]]:
    if isinstance(attachments, dict):
        for name, bundle in attachments.items():
            kept = (
                {
                    kind: data
                    for kind, data in bundle.items()
                    if kind in IMAGE_TYPES and isinstance(data, str) and data.isascii()
                }
                if isinstance(bundle, dict)
                else {}
            )
            if kept:
                yield name, kept


def rebuild(master: dict[str, Any], cells: list[Cell]) -> Rebuilt:
    """The master with the student's text in it.

    A cell is known by its grade_id, else by its notebook id. Of several cells with one name, the first
    whose text differs from the master's counts. A locked cell keeps the master's text; a missing or
    emptied one comes back.
    """
    known: dict[str, int] = {}
    for number, cell in enumerate(master["cells"]):
        for name in _names(cell):
            known.setdefault(name, number)
    found: dict[int, list[Cell]] = {}
    added: dict[int, list[Cell]] = {}
    last = -1
    for cell in cells:
        number = next((known[name] for name in cell.names if name in known), None)
        if number is None:
            if cell.source.strip():
                added.setdefault(last, []).append(cell)
        else:
            found.setdefault(number, []).append(cell)
            last = number
    notes: list[str] = []
    out = _added(added.get(-1, []), 0)
    for number, original in enumerate(master["cells"]):
        cell = copy.deepcopy(original)
        _fill(cell, found.get(number, []), notes)
        out.append(cell)
        out += _added(added.get(number, []), len(out))
    notebook = {key: copy.deepcopy(value) for key, value in master.items() if key != "cells"} | {"cells": out}
    return Rebuilt(notebook, tuple(notes))


def _names(cell: dict[str, Any]) -> list[str]:
    told = cell["metadata"].get("nbgrader", {}).get("grade_id")
    return ([f"grade:{told}"] if told else []) + ([f"id:{cell['id']}"] if "id" in cell else [])


def _fill(cell: dict[str, Any], given: list[Cell], notes: list[str]) -> None:
    """Put the student's text into a master cell, where the cell is theirs to write."""
    told = cell["metadata"].get("nbgrader", {})
    name, original = told.get("grade_id"), cell["source"]
    text = "".join(original) if isinstance(original, list) else original
    locked = bool(told) and not told.get("solution")
    changed = [one for one in given if one.source.strip() not in ("", text.strip())]
    if name and not given:
        notes.append(f"cell {name} was deleted and has been put back")
    if name and len(given) > 1:
        notes.append(
            f"cell {name} was there {len(given)} times; "
            + (
                "the released text counts"
                if locked or not changed
                else "the first one that was changed counts"
            )
        )
    if locked:
        if changed and len(given) == 1:
            notes.append(f"cell {name} is locked; its released text was put back")
    elif changed:
        cell["source"] = changed[0].source
        if cell["cell_type"] == "markdown" and changed[0].attachments:
            cell["attachments"] = changed[0].attachments
    if cell["cell_type"] == "code":
        cell["outputs"], cell["execution_count"] = [], None


def _added(cells: list[Cell], at: int) -> list[dict[str, Any]]:
    """Cells that the student added: text and kind, nothing else. A raw cell is shown as text."""
    made = []
    for number, cell in enumerate(cells):
        fresh: dict[str, Any] = {
            "cell_type": cell.kind,
            "metadata": {},
            "source": cell.source,
            "id": f"added-{digest(str(at), str(number), cell.source)[:16]}",
        }
        if cell.kind == "raw":
            fresh |= {
                "cell_type": "markdown",
                "source": "".join(f"    {line}\n" for line in cell.source.splitlines()),
            }
        elif cell.kind == "code":
            fresh |= {"outputs": [], "execution_count": None}
        elif cell.attachments:
            fresh["attachments"] = cell.attachments
        made.append(fresh)
    return made
