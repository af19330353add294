"""Gradescope's `results.json` of one student, after its published autograder specification.

Validated by format, not uploaded. Every text is declared as plain text, so a student's markup is shown, not
obeyed.
"""

from __future__ import annotations

import json
from typing import Any

from llmlab.grading.exports.cells import clean
from llmlab.grading.exports.results import Item, Result

LONGEST = 10_000
PLAIN = {"output_format": "text", "test_output_format": "text", "test_name_format": "text"}


def results_json(result: Result) -> dict[str, Any]:
    """The document: the score counts, the tests explain it. What a person still has to read is 0 so far."""
    return {
        "score": result.row.points,
        "output": text(f"{result.row.status}: {result.comment}"),
        "visibility": "visible",
        "stdout_visibility": "hidden",
        **PLAIN,
        "tests": [_test(item) for item in result.items],
    }


def failed(reason: str, tests: tuple[Item, ...] = ()) -> dict[str, Any]:
    """A document for when grading itself could not be done."""
    return {
        "score": 0.0,
        "output": text(reason),
        "visibility": "visible",
        "stdout_visibility": "hidden",
        **PLAIN,
        "tests": [_test(item) for item in tests],
    }


def _test(item: Item) -> dict[str, Any]:
    told = {
        "name": text(item.title),
        "score": item.points,
        "max_score": item.max_points,
        "output": text(_output(item)),
        "visibility": "visible",
        "tags": [item.group],
        "extra_data": {
            "grade_id": item.id,
            "status": item.status,
            "misconceptions": list(item.misconceptions),
        },
    }
    if not item.waiting:
        told["status"] = "passed" if item.points >= item.max_points else "failed"
    return told


def _output(item: Item) -> str:
    if item.waiting:
        return "A person reads this answer; its points are not in yet."
    return item.message or ("All points." if item.points >= item.max_points else item.status)


def text(value: str) -> str:
    """Plain text of bounded length without anything a terminal or page obeys; lines stay."""
    value = clean(value, keep_lines=True)
    return value if len(value) <= LONGEST else value[: LONGEST - 3] + "..."


def encode(document: dict[str, Any]) -> bytes:
    """The file's bytes: ASCII JSON without NaN."""
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode("ascii")
