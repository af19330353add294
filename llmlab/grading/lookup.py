"""The preprocessor that stands in nbgrader's `Autograde` where `Execute` stands by default. It runs no cell.

For every test cell it looks the verdict up in the ledger by `grade_id` and puts it into the cell as
nbgrader reads it: an `execute_result` with the number of points, and a `display_data` with what a person
reads. Without a verdict the cell gets 0 and says why; it never raises, so no submission is lost here.
The other code cells get the outputs of the display run, if the ledger has them; they are no part of a score.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from llmlab.grading.ledger import Ledger
from llmlab.grading.render import as_html, as_text
from llmlab.grading.screen import apply, is_test

NOT_TAKEN_IN = (
    "This submission was not graded by intake, so there is no verdict. "
    "Put it into the inbox and run `llmlab grade` on the lab."
)
NO_VERDICT = "There is no verdict for this cell. Run `llmlab grade` on the lab again."

ODD = (KeyError, TypeError, ValueError, AttributeError)
"""How a ledger that somebody edited by hand fails to be shown."""


def score(verdict: dict[str, Any], maximum: float) -> float:
    """The points as a number in [0, maximum]; 0 for anything that is not a number.

    >>> [score({"points": x}, 2.0) for x in (1.5, 7, -1, float("nan"), "2", None)]
    [1.5, 2.0, 0.0, 0.0, 0.0, 0.0]
    """
    found = verdict.get("points")
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found):
        return 0.0
    return min(max(float(found), 0.0), maximum)


class LedgerLookup(NbGraderPreprocessor):
    """Puts the ledger's verdicts into the test cells of one submission."""

    ledger = Unicode("ledger", help="The folder of the ledger, from the course folder.").tag(config=True)
    book = Unicode("", help="The address of the book, ending in /, for links from the feedback.").tag(
        config=True
    )

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        told = resources["nbgrader"]
        records = Ledger(Path(self.ledger) / told["assignment"])
        found = records.read(told["student"], "verdicts")
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
                if is_test(cell):
                    self.put(cell, found)
        apply(nb, records.read(told["student"], "display").get("outputs"))
        return nb, resources

    def verdict(self, cell: NotebookNode, found: dict[str, Any]) -> dict[str, Any]:
        """The verdict on one test cell, with points in its range; `found` is the ledger's record."""
        name, maximum = cell.metadata.nbgrader["grade_id"], float(cell.metadata.nbgrader["points"])
        verdicts = found.get("cells")
        verdict = verdicts.get(name) if isinstance(verdicts, dict) else None
        if not isinstance(verdict, dict):
            verdict = {"title": name, "message": NO_VERDICT if found else NOT_TAKEN_IN, "groups": []}
        return verdict | {"points": score(verdict, maximum), "max": maximum}

    def put(self, cell: NotebookNode, found: dict[str, Any]) -> None:
        """Put the verdict of one test cell into its outputs."""
        shown = self.verdict(cell, found)
        number = shown["points"]
        try:
            text, page = as_text(shown), as_html(shown, self.book)
        except ODD:
            number, text, page = 0.0, NO_VERDICT, NO_VERDICT
        cell.outputs = [
            new_output("display_data", {"text/plain": text, "text/html": page}),
            new_output("execute_result", {"text/plain": repr(number)}, execution_count=None),
        ]
