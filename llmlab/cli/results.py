"""The last verdict of every task, remembered in the workspace with the hash of the file it was about.

A remembered verdict is stale once the saved file has another hash. This is for the student's eyes; grading
never reads it.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmlab.cli import store

if TYPE_CHECKING:
    from llmlab.harness.report import Report

RESULTS = "results.json"


@dataclass(frozen=True)
class Last:
    """The last verdict of one task: points, status word, short hash of the file, and when (seconds since
    1970).
    """

    earned: float
    points: float
    status: str
    hash: str
    when: float


def remember(root: Path, report: Report) -> None:
    """Keep the verdicts of a report. Verdicts of other tasks stay as they were."""
    data, _ = store.load(root, RESULTS)
    now = round(time.time(), 1)
    for task in report.tasks:
        data[task.id] = asdict(Last(task.earned, task.points, task.status, report.hash, now))
    store.save(root, RESULTS, data)


def recall(root: Path) -> dict[str, Last]:
    """Task id -> last verdict. Entries that cannot be read are left out."""
    found = {}
    for task, entry in store.load(root, RESULTS)[0].items():
        try:
            found[task] = Last(
                float(entry["earned"]),
                float(entry["points"]),
                str(entry["status"]),
                str(entry["hash"]),
                float(entry["when"]),
            )
        except (KeyError, TypeError, ValueError):
            continue  # written by another version: as if never checked
    return found
