"""nbgrader, called from Python with the course's own configuration. Nothing of nbgrader is changed or
patched.

Each call does what the command line would do in `assignments/`; a failure becomes one CourseError with the
last lines of nbgrader's log instead of a traceback.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import CsvExportPlugin
from sqlalchemy.exc import DBAPIError
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from llmlab.grading.course import CourseError
from llmlab.grading.database import redacted, shown

CONFIG = "nbgrader_config.py"


class StaleGradebook(CourseError):
    """The lab's graded cells changed, but the gradebook holds submissions of the older lab."""


class Nbgrader:
    """nbgrader on the course folder `root`."""

    def __init__(self, root: Path):
        if not (root / CONFIG).is_file():
            raise CourseError(
                f"{root} is not an nbgrader course: {CONFIG} is missing. Restore it from the repository."
            )
        self.root = root
        self.config: Config = PyFileConfigLoader(CONFIG, path=str(root)).load_config()
        self.coursedir = CourseDirectory(config=self.config)
        self._api: NbGraderAPI | None = None

    @property
    def api(self) -> NbGraderAPI:
        if self._api is None:
            self._api = NbGraderAPI(coursedir=self.coursedir, config=self.config, log_level=logging.WARNING)
        return self._api

    def gradebook(self) -> Gradebook:
        """The gradebook; use it as a context manager. Raises CourseError if the database cannot be reached."""
        url = self.coursedir.db_url
        try:
            return Gradebook(url, self.coursedir.course_id)
        except DBAPIError as error:
            told = redacted(" ".join(str(error.orig).split()), url)
            raise CourseError(
                f"The gradebook {shown(url)} cannot be opened: {told}. Start the database, or mend "
                "LLMLAB_GRADEBOOK or `gradebook` in course.toml."
            ) from None

    def has_assignment(self, lab: str) -> bool:
        with self.gradebook() as gradebook:
            try:
                return bool(gradebook.find_assignment(lab).notebooks)
            except MissingEntry:
                return False

    def _do(self, what: str, result: dict[str, Any]) -> None:
        if not result["success"]:
            told = [
                line
                for line in (result.get("error", "") + result.get("log", "")).splitlines()
                if line.strip()
            ]
            last = next(
                (line for line in reversed(told) if "Error" in line or "Cannot" in line), "no reason given"
            )
            raise CourseError(f"nbgrader {what} failed: {redacted(last.strip(), self.coursedir.db_url)}.")

    def generate_assignment(self, lab: str) -> None:
        self.gradebook().close()  # a database that cannot be reached is told by us, not in a traceback
        with quiet():
            result = self.api.generate_assignment(lab, force=True, create=True)
        if not result["success"] and "submissions associated" in result.get("error", "") + result.get(
            "log", ""
        ):
            raise StaleGradebook(
                f"The graded cells of {lab} changed, but the gradebook holds submissions of the older lab. "
                f"{self._put_away()}, then release and grade again."
            )
        self._do(f"generate_assignment {lab}", result)

    def _put_away(self) -> str:
        """How to begin with an empty gradebook."""
        url = self.coursedir.db_url
        if url.startswith("sqlite:///"):
            return f"Move {url.removeprefix('sqlite:///')} away (keep it)"
        return f"Keep the database {shown(url)}, name an empty one in its place"

    def autograde(self, lab: str, student: str) -> None:
        with quiet():
            result = self.api.autograde(lab, student, force=True, create=True)
        self._do(f"autograde {lab} for {student}", result)

    def generate_feedback(self, lab: str, student: str) -> None:
        with quiet():
            result = self.api.generate_feedback(lab, student, force=True)
        self._do(f"generate_feedback {lab} for {student}", result)

    def export(self, to: Path) -> None:
        """nbgrader's own CSV of the gradebook, with every lab in it."""
        plugin = CsvExportPlugin(config=self.config)
        plugin.to = str(to)
        with self.gradebook() as gradebook:
            plugin.export(gradebook)


class quiet(warnings.catch_warnings):
    """Keeps nbformat's and SQLAlchemy's deprecation warnings of nbgrader from the instructor's screen."""

    def __enter__(self):
        entered = super().__enter__()
        warnings.simplefilter("ignore")
        return entered
