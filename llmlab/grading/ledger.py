"""The ledger: what has been done for each submission, as JSON on disk. It grades nothing and knows no
notebook.

One folder per student, one small file per record, each replaced in one atomic step: a reader sees the old
record or the new one, never half of one. Killing the grader at any moment leaves a ledger from which it can
go on.

    intake.json            what was handed in, and how it was read
    module-decoding.json   {"key", "status", "reason", "seconds", "report"}; key: what was graded with what
    answers.json           {"key", "verdicts"}
    verdicts.json          what nbgrader looks up: points and message per grade_id
    recorded.json          {"key"} of the verdicts that are in the gradebook
    feedback.json          {"key"} of the feedback page that was written
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

QUEUED, RUNNING, GRADED = "queued", "running", "graded"
TIMEOUT, MEMORY, CRASHED = "timeout", "memory", "crashed"
UNREADABLE, MISSING, MANUAL = "unreadable", "missing", "needs manual"
REFUSED = "refused"
LATE = "too-late"
"""The record of a student all of whose work came too late to count."""
FINAL = (GRADED, TIMEOUT, MEMORY, CRASHED, UNREADABLE, MISSING)
"""The states in which a module needs no more work, as long as its key stays the same."""


def digest(*parts: bytes | str) -> str:
    """SHA-256 over the parts and their lengths, in hex: a change of any part, or of a border, changes it.

    >>> digest("ab", "c") == digest("a", "bc")
    False
    """
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        total.update(len(raw).to_bytes(8, "big") + raw)
    return total.hexdigest()


def write_atomic(file: Path, content: bytes, durable: bool = True) -> None:
    """Write `file` in one step: readers see the old content or the new one; if durable, also after a power cut."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}.new")
    with beside.open("wb") as stream:
        stream.write(content)
        stream.flush()
        if durable:
            os.fsync(stream.fileno())
    beside.replace(file)


@dataclass(frozen=True)
class Ledger:
    """The ledger of one lab, in `folder`."""

    folder: Path

    def file(self, student: str, record: str) -> Path:
        return self.folder / student / f"{record}.json"

    def read(self, student: str, record: str) -> dict[str, Any]:
        """A record; {} if there is none, or none that can be read (it is then made anew)."""
        try:
            found = json.loads(self.file(student, record).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, student: str, record: str, data: dict[str, Any]) -> None:
        """Replace a record in one step; a record that says the same already is left alone."""
        if self.read(student, record) != data:
            text = json.dumps(data, ensure_ascii=False, allow_nan=False)  # indented, it would take ten times as long
            # what a power cut takes from the ledger is made anew: it is not worth waiting for the disk here
            write_atomic(self.file(student, record), text.encode("utf-8", "replace"), durable=False)

    def drop(self, student: str, record: str) -> None:
        """Forget a record, if there is one."""
        self.file(student, record).unlink(missing_ok=True)

    def students(self) -> list[str]:
        """Everybody of whom the ledger knows, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(entry.name for entry in self.folder.iterdir() if entry.is_dir())
