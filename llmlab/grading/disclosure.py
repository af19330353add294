"""How much a feedback page tells about a hidden case. The instructor chooses; formgrader always shows all.

    full     message, input, expected and got of the first failed case of each group, and what was printed
    actual   the message without expected values, and what the student's function gave
    none     points and the section to read; of the cases nothing

In `assignments/course.toml`:

    [feedback]
    show = "actual"          # for every lab

    [feedback.lab2]
    show = "none"            # for this one

At no level is the source of a hidden case shown, nor the right value of a numeric answer. What a student's
own code says (its exceptions, what it returns) can repeat the input it was given: at `none` nothing of it is
shown.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from llmlab.grading.course import CourseError
from llmlab.grading.ledger import MISSING, UNREADABLE

LEVELS = ("full", "actual", "none")
FILE = "course.toml"
NUMBER = "answer-"
_EXPECTED = (
    (re.compile(r"\b([Ee])xpected (?:(?!; ).)*?, (?:but )?got\b"), "got"),
    (re.compile(r"; largest error [^\s),;]*"), ""),
    (
        re.compile(r" has probability \S+, so about \S+ of (\S+) draws, but was drawn"),
        r", in \1 draws, was drawn",
    ),
)
"""How the checks write an expected value into a message, and what stays of it."""


def chosen(root: Path, lab: str, show: str = "") -> str:
    """The level for a lab: `show` if given, else what `root/course.toml` says, else full.

    Raises CourseError for any other word, and for a file that cannot be read.
    """
    if show:
        return _level(show, "--show")
    file = root / FILE
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, ValueError) as error:
        raise CourseError(f"{file} cannot be read: {error}. Mend that line.") from None
    feedback = told.get("feedback", {})
    if not isinstance(feedback, dict):
        raise CourseError(f'{file}: feedback is {feedback!r}; write a table: [feedback], then show = "full".')
    for name, value in feedback.items():
        if name != "show" and (not isinstance(value, dict) or set(value) - {"show"}):
            raise CourseError(
                f"{file}: [feedback] has {name} = {value!r}; it may hold show, "
                f"and tables such as [feedback.{lab}] with show."
            )
    own = feedback.get(lab, {})
    return _level(own.get("show", feedback.get("show", "full")), str(file))


def _level(value: Any, where: str) -> str:
    if value not in LEVELS:
        raise CourseError(f"{where}: show is {value!r}; choose one of {', '.join(LEVELS)}.")
    return value


def disclosed(verdict: dict[str, Any], level: str, name: str = "") -> dict[str, Any]:
    """A verdict with no more in it than the level allows. name: its grade_id.

    >>> disclosed({"points": 0, "max": 2, "message": "expected 2, got 3"}, "actual")["message"]
    'got 3'
    """
    _level(level, "disclosed")
    kept = {
        key: verdict[key] for key in ("title", "points", "max", "read", "status", "message") if key in verdict
    }
    groups = [group for group in verdict.get("groups", []) if isinstance(group, dict)]
    if level == "none":
        # a file that is missing or cannot be read is no case, and points alone would not say what to do
        about_the_file = verdict.get("status") in (MISSING, UNREADABLE)
        full = _number(verdict.get("points")) >= _number(verdict.get("max"))
        if not (full or about_the_file):
            kept["message"] = ""
        return kept | {"groups": []}
    hidden = () if level == "full" else ("show", "expected", "printed")
    if name.startswith(NUMBER):
        hidden += ("expected",)
    kept["groups"] = [{key: value for key, value in group.items() if key not in hidden} for group in groups]
    if level == "actual":
        for part in (kept, *kept["groups"]):
            if isinstance(part.get("message"), str):
                part["message"] = without_expected(part["message"])
    return kept


def without_expected(message: str) -> str:
    """A check's message without the values it expected.

    >>> without_expected("first difference at index 1: expected 2, got 3; largest error 1")
    'first difference at index 1: got 3'
    """
    for pattern, instead in _EXPECTED:
        message = pattern.sub(instead, message)
    return message


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
