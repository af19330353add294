"""Rebuilds a submitted notebook on the released one. Works on parsed JSON; reads no file and runs nothing.

The released notebook (the master) gives the order, every id, every point and all locked text. From the
student come only the text of the cells they may write in, and the cells they added, which stay where they
stood. Stored outputs and every other metadata are left out: what they say never matters.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llmlab.grading.ledger import digest
from llmlab.grading.matching import Cell, Match, is_answer, match
from llmlab.grading.matching import text as text_of_cell

MAX_CELLS = 1_000
MAX_SOURCE = 200_000
MAX_DIGITS = 300
KINDS = ("code", "markdown", "raw")
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif")


class NotebookError(ValueError):
    """The notebook cannot be read; the message says why."""


@dataclass(frozen=True)
class Rebuilt:
    """The notebook to grade, and what was put right, in words."""

    notebook: dict[str, Any]
    notes: tuple[str, ...]


def parse(text: str) -> list[Cell]:
    """The cells of a notebook's JSON text, of any format since IPython 0.12. Raises NotebookError if it is
    not a notebook.
    """
    try:
        data = json.loads(text.rstrip("\0 \t\r\n"), parse_int=_whole)  # a full disk leaves zeros at the end
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"it is not JSON ({str(error)[:120]})") from None
    if not isinstance(data, dict):
        raise NotebookError(f"it holds a {type(data).__name__}, not a notebook")
    cells = data.get("cells")
    if not isinstance(cells, list):
        cells = _sheets(data.get("worksheets"))
    if cells is None:
        raise NotebookError("it has no list of cells")
    if len(cells) > MAX_CELLS:
        raise NotebookError(f"it has {len(cells)} cells; the limit is {MAX_CELLS}")
    return [cell for raw in cells if (cell := _cell(raw)) is not None]


def _whole(digits: str) -> int:
    """A whole number; one of absurd length is none that matters here."""
    return int(digits) if len(digits) <= MAX_DIGITS else 0


def _sheets(sheets: Any) -> list[Any] | None:
    """The cells of formats 2 and 3, which kept them in worksheets, as those of format 4."""
    if not isinstance(sheets, list):
        return None
    found = [sheet["cells"] for sheet in sheets if isinstance(sheet, dict) and "cells" in sheet]
    made = []
    for raw in [raw for cells in found if isinstance(cells, list) for raw in cells]:
        if isinstance(raw, dict):
            kind, source = raw.get("cell_type"), raw.get("source", "")
            if kind == "code":
                raw = raw | {"source": raw.get("input", source)}
            elif kind == "heading":
                level = raw.get("level")
                marks = "#" * (level if isinstance(level, int) and 1 <= level <= 6 else 1)
                raw = raw | {"cell_type": "markdown", "source": f"{marks} {_joined(source) or ''}"}
            elif kind == "html":
                raw = raw | {"cell_type": "markdown"}
        made.append(raw)
    return made


def _joined(source: Any) -> str | None:
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else None


def _cell(raw: Any) -> Cell | None:
    if not isinstance(raw, dict):
        return None
    source = _joined(raw.get("source", ""))
    if source is None:
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
    kind = raw.get("cell_type")
    kind = kind if kind in KINDS else "raw"  # an unknown kind is shown as text
    return Cell(kind, clean, tuple(names), dict(_images(raw.get("attachments"))))


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


def rebuild(master: dict[str, Any], cells: list[Cell], matched: Match | None = None) -> Rebuilt:
    """The master with the student's text in it. `matched`: if it is known already.

    Of several cells that are one cell of the master, the first whose text differs from the master's counts;
    other changed ones are kept after it, for a person to see. A locked cell keeps the master's text; a
    missing or emptied one comes back.
    """
    matched = matched or match(master, cells)
    found: dict[int, list[Cell]] = {}
    added: dict[int, list[Cell]] = {}
    last = -1
    for cell, number in zip(cells, matched.numbers, strict=True):
        if number is not None:
            found.setdefault(number, []).append(cell)
            last = number
        elif cell.source.strip():
            added.setdefault(last, []).append(cell)
    notes: list[str] = []
    if matched.guessed:
        notes.append(f"{matched.guessed} cells had lost their names and were known by text or place")
    out = _added(added.get(-1, []), 0)
    for number, original in enumerate(master["cells"]):
        cell = copy.deepcopy(original)
        others = _fill(cell, found.get(number, []), notes)
        out.append(cell)
        out += _added(others + added.get(number, []), len(out))
    notebook = {key: copy.deepcopy(value) for key, value in master.items() if key != "cells"} | {"cells": out}
    return Rebuilt(notebook, tuple(notes))


def _fill(cell: dict[str, Any], given: list[Cell], notes: list[str]) -> list[Cell]:
    """Put the student's text into a master cell, where the cell is theirs to write. Returns other answers
    that were given for it.
    """
    told = cell["metadata"].get("nbgrader", {})
    name, text = told.get("grade_id"), text_of_cell(cell)
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
    others = changed[1:] if is_answer(cell) else []
    return [one for one in others if one.source.strip() != changed[0].source.strip()]


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
