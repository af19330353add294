"""A preprocessor for feedback pages: tells the template which answers still wait for a person. Changes no
grade.
"""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import List


class PageState(NbGraderPreprocessor):
    """Sets `waiting` in the metadata of every graded cell whose points a person still has to give."""

    display_data_priority = List(
        config=True, help="Set by nbconvert's HTML exporter for every preprocessor; not used here."
    )

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        told = resources["nbgrader"]
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
        return nb, resources
