"""A preprocessor for feedback pages. It changes no grade; it decides what of the graded notebook is shown.

- every verdict is taken from the ledger again and shown at the level that the instructor chose
  (`disclosure`);
- the template is told which answers still wait for a person;
- HTML that a student's cell displayed is cleaned once more;
- nothing but the page stays in the student's feedback folder: nbgrader copies whatever lies beside the
  notebook.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import List, Unicode
from traitlets.config import Config

from llmlab.grading import disclosure, sanitise
from llmlab.grading.ledger import Ledger
from llmlab.grading.lookup import NO_VERDICT, ODD, LedgerLookup
from llmlab.grading.render import as_html, failures
from llmlab.grading.screen import is_test


def only_page(folder: Path, page: str) -> list[str]:
    """Remove everything but the page from a feedback folder; the names of what was removed."""
    removed = []
    for path in sorted(folder.rglob("*"), reverse=True) if folder.is_dir() else []:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        elif path != folder / page or path.is_symlink():
            path.unlink()
            removed.append(path.relative_to(folder).as_posix())
    return removed


class PageState(NbGraderPreprocessor):
    """Prepares a graded notebook for the student's eyes."""

    show = Unicode("", help="full, actual or none; empty: what course.toml says.").tag(config=True)
    display_data_priority = List(
        config=True, help="Set by nbconvert's HTML exporter for every preprocessor; not used here."
    )

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        told = resources["nbgrader"]
        course = CourseDirectory(config=self.config)
        lookup = LedgerLookup(config=Config({"LedgerLookup": self.config.LedgerLookup}))
        level = disclosure.chosen(Path(course.root), told["assignment"], self.show)
        found = Ledger(Path(lookup.ledger) / told["assignment"]).read(told["student"], "verdicts")
        waiting = 0.0
        with Gradebook(told["db_url"]) as gradebook:
            for cell in nb.cells:
                if utils.is_grade(cell):
                    grade = gradebook.find_grade(
                        cell.metadata.nbgrader["grade_id"],
                        told["notebook"],
                        told["assignment"],
                        told["student"],
                    )
                    cell.metadata.nbgrader["waiting"] = bool(grade.needs_manual_grade)
                    waiting += float(cell.metadata.nbgrader["points"]) if grade.needs_manual_grade else 0.0
                if cell.cell_type == "code" and is_test(cell):
                    self.tell(lookup, cell, found, level)
                elif cell.cell_type == "code":
                    for output in cell.outputs:
                        if "text/html" in output.get("data", {}):
                            output.data["text/html"] = sanitise.clean(output.data["text/html"])
        nb.metadata["llmlab_waiting"] = waiting
        pages = course.format_path(course.feedback_directory, told["student"], told["assignment"])
        only_page(Path(pages), f"{told['notebook']}.html")
        return nb, resources

    @staticmethod
    def tell(lookup: LedgerLookup, cell: NotebookNode, found: dict[str, Any], level: str) -> None:
        """Put the verdict into a test cell as the page shows it, and a line of it for the overview."""
        name = cell.metadata.nbgrader["grade_id"]
        try:
            verdict = disclosure.disclosed(lookup.verdict(cell, found), level, name)
            page, said = (
                as_html(verdict, lookup.book),
                "" if verdict["points"] >= verdict["max"] else first(verdict),
            )
        except ODD:
            page, said = NO_VERDICT, ""
        cell.outputs = [new_output("display_data", {"text/html": page})]
        cell.metadata.nbgrader["said"] = said


def first(verdict: dict[str, Any]) -> str:
    """The first thing that went wrong, in one short line.

    >>> first({"message": "", "groups": [{"message": "Not written yet. Read on."}]})
    'Not written yet. Read on.'
    """
    told = [group["message"] for group in failures(verdict)] or [verdict["message"]]
    line = " ".join(str(told[0]).split())
    return line if len(line) <= 160 else line[:157].rsplit(" ", 1)[0] + " ..."
