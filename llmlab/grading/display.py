"""The trusted side of the display run: a student's cells are run again, confined, only to be looked at.

No output decides a point, and no failure here costs one. Test cells are never sent. What comes back is
examined as if a hostile student had written it, because one may have: types, sizes, pictures and HTML
(`llmlab.grading.screen`). This process measures the time, and ends a run that takes too much of it.
"""

from __future__ import annotations

import importlib.metadata
import threading
import time
from typing import Any

from llmlab._finder import PACKAGE
from llmlab.grading import screen
from llmlab.grading.ledger import digest
from llmlab.grading.screen import apply, is_test
from llmlab.harness import wire
from llmlab.harness.clock import CLOCK
from llmlab.harness.spawn import Closed, WarmServer

__all__ = ["RECORD", "Display", "apply", "code_cells", "version"]

RECORD = "display"
CELL_SECONDS, SECONDS = 20.0, 60.0
PATIENCE = 15.0
"""When a cell is asked to stop, so that the next one still runs; CELL_SECONDS is for those that do not stop.
"""
FRAME = (6 * 2**20, 10 * 2**20)
"""The longest text and the longest block of bytes that one frame may have."""


def code_cells(notebook: Any) -> list[dict[str, str]]:
    """The cells to run, {"id", "source"}: code, not empty, not a test. One without an id of its own is left
    out.
    """
    found, seen = [], set()
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code" or is_test(cell):
            continue
        source, name = cell["source"], cell.get("id")
        text = source if isinstance(source, str) else "".join(source)
        if isinstance(name, str) and name not in seen and text.strip():
            seen.add(name)
            found.append({"id": name, "source": text})
    return found


def version() -> str:
    """A hash of everything of ours that decides what is shown."""
    ours = [PACKAGE / "grading" / name for name in ("display.py", "screen.py", "sanitise.py")]
    for folder in ("harness/display", "figures", "models", "devices"):
        ours += [file for file in sorted((PACKAGE / folder).rglob("*.py")) if "train" not in file.parts]
    ours += sorted((PACKAGE / "models" / "weights").rglob("*.safetensors"))
    theirs = [importlib.metadata.version(name) for name in ("torch", "matplotlib", "ipython")]
    return digest(*theirs, *[part for file in ours for part in (file.name, file.read_bytes())])


class Display:
    """Runs notebooks for display; several threads may use one. Close it, or use it as a context manager."""

    def __init__(self, starter: Any = None):
        self._starter, self._version, self._lock = starter, version(), threading.Lock()

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """End the warm process and every run in it."""
        with self._lock:
            if self._starter is not None:
                self._starter.close()
                self._starter = None

    def starter(self) -> Any:
        with self._lock:
            if self._starter is None:
                self._starter = WarmServer(runtime="display")
            return self._starter

    def job_key(self, modules: dict[str, bytes], cells: list[dict[str, str]]) -> str:
        """What the outputs depend on, as one hash."""
        given = [part for name in sorted(modules) for part in (name, modules[name])]
        return digest(
            self._version, str(len(given)), *given, *[part for c in cells for part in (c["id"], c["source"])]
        )

    def record(self, modules: dict[str, bytes], cells: list[dict[str, str]]) -> dict[str, Any]:
        """What the ledger keeps as `display.json`: {"key", "seconds", "outputs"}."""
        began = time.monotonic()
        shown = self.outputs(modules, cells)
        return {
            "key": self.job_key(modules, cells),
            "seconds": round(time.monotonic() - began, 2),
            "outputs": shown,
        }

    def outputs(
        self,
        modules: dict[str, bytes],
        cells: list[dict[str, str]],
        seconds: float = SECONDS,
        cell_seconds: float = CELL_SECONDS,
    ) -> dict[str, list[dict[str, Any]]]:
        """Cell id -> its outputs, as a notebook of format 4 holds them, safe to show.

        seconds, cell_seconds: measured here; whoever needs longer is ended, and the cells that follow say so.
        """
        if not cells:
            return {}
        try:
            process = self.starter().start()
        except Closed as error:  # this machine's trouble, not the student's
            return {cell["id"]: [screen.note(f"The cells could not be run: {error}.")] for cell in cells}
        request = {
            "op": "run",
            "modules": modules,
            "cells": cells,
            "seconds": min(PATIENCE, cell_seconds * 0.75),
        }
        kept = screen.Screen()
        shown: dict[str, list[dict[str, Any]]] = {}
        end, why = time.monotonic() + seconds, ""
        try:
            self._send(process, request, cell_seconds)
            for cell in cells:
                limit = min(cell_seconds, max(0.0, end - time.monotonic()))
                frame = self._frame(process, limit)
                if not isinstance(frame, dict) or frame.get("id") != cell["id"]:
                    raise wire.WireError("it is not about the cell at hand")
                shown[cell["id"]] = kept.outputs(frame.get("outputs"))
        except Closed:
            late = process.killed
            how = process.end()
            why = f"The cell took longer than {limit:.3g} s and was ended." if late else _gone(how)
        except (wire.WireError, RecursionError, MemoryError) as error:
            why = f"The outputs of this cell cannot be read: {error}."
        finally:
            process.kill()
            process.end()
        for cell in cells:
            if cell["id"] not in shown:
                shown[cell["id"]] = [screen.note(why)]
                why = "Not run: the notebook's run had ended before this cell."
        return shown

    @staticmethod
    def _send(process: Any, request: dict[str, Any], seconds: float) -> None:
        with CLOCK.limit(seconds, process.kill):
            wire.send(process.outward, wire.encode(request))

    @staticmethod
    def _frame(process: Any, seconds: float) -> Any:
        """The next frame, within this time. Raises Closed if it does not come, WireError if it is none of
        ours.
        """
        with CLOCK.limit(seconds, process.kill):
            return wire.decode(wire.receive(process.inward, *FRAME))


def _gone(how: str) -> str:
    said = f" (it {how})" if how else ""
    return (
        f"The process that ran the cells ended in this cell{said}. Did it need too much memory, or call exit?"
    )
