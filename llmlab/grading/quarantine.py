"""The quarantine: `assignments/quarantine/<lab>/`, where everything goes that could not be taken in. Nothing
in it is ever graded, and nothing is ever dropped.

    <label>-<hash>/report.json      whose it seems to be, why it is here, what to do
    <label>-<hash>/files/           the files as they were handed in, under names that can do no harm
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from llmlab.grading.ledger import digest, write_atomic
from llmlab.grading.places import Desk
from llmlab.grading.untrusted import printable, safe_path

QUARANTINE = "quarantine"
MEND = (
    "Mend the cause (for a person: the roster's lms_id or name) and collect again, or put the files into "
    "inbox/<student id>/{lab}/ by hand."
)


def place(desk: Desk, label: str, files: Mapping[str, bytes]) -> Path:
    """Where these files are kept, if they are."""
    key = digest(label, *[part for item in sorted(files.items()) for part in item])[:10]
    return desk.root / QUARANTINE / desk.lab / f"{safe_path(label.replace('/', '_')) or 'unnamed'}-{key}"


def discharge(desk: Desk, label: str, files: Mapping[str, bytes]) -> None:
    """Drop what was kept of these very files: they are in the inbox now."""
    shutil.rmtree(place(desk, label, files), ignore_errors=True)


def keep(desk: Desk, label: str, reason: str, files: Mapping[str, bytes]) -> Path:
    """Keep the files with a report. The same ones again change nothing. Returns their folder."""
    folder = place(desk, label, files)
    report = {
        "from": printable(label),
        "reason": printable(reason, 400),
        "next": MEND.format(lab=desk.lab),
        "files": {printable(name): len(content) for name, content in sorted(files.items())},
    }
    for name, content in files.items():
        file = folder / "files" / safe_path(name.lstrip("/"))
        if not file.is_file():
            write_atomic(file, content)
    text = json.dumps(report, indent=1).encode() + b"\n"
    if not (folder / "report.json").is_file() or (folder / "report.json").read_bytes() != text:
        write_atomic(folder / "report.json", text)
    return folder
