"""Deadlines in nbgrader: due dates and extensions for formgrader, and the plugin that takes points off.

    enter(...)     due date of the lab, extension of each student: nbgrader then shows who was late
    assess(...)    the penalty of each submission, anew: a person may have given points since
    LatePenalty    what nbgrader's own AssignLatePenalties asks when it autogrades
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import LateSubmissionPlugin
from traitlets import Unicode

from llmlab.grading.deadlines import FILE, Terms, terms


class LatePenalty(LateSubmissionPlugin):
    """The penalty by `deadlines.toml`, from the arrival that the intake wrote down."""

    deadlines = Unicode("", help="The file; default: deadlines.toml in the course folder.").tag(config=True)

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        """The points to take off; None if there are none. nbgrader calls it only for what is late."""
        lab, gradebook = self.parent.assignment_id, self.parent.gradebook
        root = self.config.CourseDirectory.get("root", ".")
        rules = terms(Path(self.deadlines or Path(root) / FILE), lab)
        submission = gradebook.find_submission(lab, student_id)
        return rules.penalty(student_id, score, _utc(submission.timestamp)) or None


def enter(gradebook: Gradebook, lab: str, rules: Terms, students: list[str]) -> None:
    """Write the due date of the lab, and the extensions of `students` (those who handed in)."""
    due = rules.due.astimezone(UTC).replace(tzinfo=None) if rules.due else None
    gradebook.update_or_create_assignment(lab, duedate=due)
    for student in students:
        own = rules.due_for(student)
        extension = own - rules.due if own and rules.due and own != rules.due else None
        try:
            submission = gradebook.find_submission(lab, student)
        except MissingEntry:
            if extension is None:
                continue
            gradebook.update_or_create_student(student)
            submission = gradebook.update_or_create_submission(lab, student)
        if submission.extension != extension:
            submission.extension = extension
            gradebook.db.commit()


def assess(gradebook: Gradebook, lab: str, rules: Terms) -> list[str]:
    """Set the penalty of every submission by its present score. Returns whose penalty changed."""
    changed = []
    for submission in gradebook.assignment_submissions(lab):
        student, at = submission.student.id, submission.timestamp
        for notebook in submission.notebooks:
            owed = rules.penalty(student, notebook.score, _utc(at)) if at else 0.0
            if abs((notebook.late_submission_penalty or 0.0) - owed) > 1e-9:
                notebook.late_submission_penalty = owed or None
                changed.append(student)
    gradebook.db.commit()
    return changed


def _utc(moment: datetime) -> datetime:
    """nbgrader keeps UTC without saying so."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
