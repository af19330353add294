"""Feedback: nbgrader's HTML page for every recorded submission, from the template in
`assignments/templates/`.

A page is written again only when the graded notebook, a verdict, a score, a comment, the level of disclosure
or the template changed. Nothing is graded again for it, and nothing but the page is in a student's folder.
"""

from __future__ import annotations

from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from llmlab.grading import deadlines, disclosure, late_penalty
from llmlab.grading.course import Course, CourseError
from llmlab.grading.ledger import Ledger, digest
from llmlab.grading.nbgrader_api import CONFIG, Nbgrader
from llmlab.grading.page_state import only_page
from llmlab.grading.places import Desk, desk

MAKERS = ("disclosure", "lookup", "mathml", "page_state", "render", "sanitise")
"""Files of ours that decide how a page looks."""


def feedback(lab: str, course: Course, show: str = "") -> Path:
    """Write every student's page. Returns assignments/feedback.

    show: how much a page tells of hidden cases, "full", "actual" or "none"; default: what course.toml says.
    Raises CourseError if that is something else, or nothing has been graded yet; and, when all others are
    written, for pages that could not be.
    """
    at = desk(lab, course)
    level = disclosure.chosen(at.root, lab, show)
    nbgrader, ledger = Nbgrader(at.root), Ledger(at.ledger)
    nbgrader.config.PageState.show = level
    students = [name for name in ledger.students() if (at.autograded(name) / at.notebook).is_file()]
    if not students:
        raise CourseError(f"No submission of {lab} has been graded. Run `llmlab grade {lab}` first.")
    templates = sorted((at.root / "templates" / "feedback").rglob("*"))
    look = [file.read_bytes() for file in templates if file.is_file()]
    look += [(at.root / CONFIG).read_bytes(), level.encode()]
    look += [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")) if file.stem in MAKERS]
    with nbgrader.gradebook() as gradebook:  # a person may have given points since the last grading
        late_penalty.assess(gradebook, lab, deadlines.read(at))
    failed: dict[str, CourseError] = {}
    for student in students:
        with nbgrader.gradebook() as gradebook:
            told = _told(at, student, gradebook)
        verdicts = ledger.file(student, "verdicts")
        judged = verdicts.read_bytes() if verdicts.is_file() else b""
        key = digest((at.autograded(student) / at.notebook).read_bytes(), judged, told, *look)
        page = at.feedback(student) / f"{lab}.html"
        if ledger.read(student, "feedback").get("key") != key or not page.is_file():
            try:
                nbgrader.generate_feedback(lab, student)
            except CourseError as error:  # one page that cannot be made must not keep the others back
                failed[student] = error
                continue
            finally:
                only_page(at.feedback(student), page.name)
            ledger.write(student, "feedback", {"key": key})
    if failed:
        first = next(iter(failed))
        raise CourseError(
            f"{len(failed)} of {len(students)} pages could not be written ({', '.join(failed)}); the others "
            f"are there. The first: {failed[first]}"
        )
    return at.root / "feedback"


def _told(at: Desk, student: str, gradebook: Gradebook) -> str:
    """Everything of the gradebook that a page shows."""
    try:
        submission = gradebook.find_submission(at.lab, student)
    except MissingEntry:
        return ""
    grades = [
        (grade.name, grade.score, grade.needs_manual_grade)
        for book in submission.notebooks
        for grade in book.grades
    ]
    comments = [(comment.name, comment.comment) for book in submission.notebooks for comment in book.comments]
    return repr((sorted(grades), sorted(comments, key=repr), submission.late_submission_penalty))
