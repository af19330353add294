"""The receipt that `llmlab submit` packs: its hashes are compared with the files. It is never believed for a
name or a time, since a student can write any.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from llmlab.grading.untrusted import printable

RECEIPT = "receipt.json"
MAX_RECEIPT = 64 * 2**10


def differences(raw: bytes, files: Mapping[str, bytes]) -> list[str]:
    """What a person should know: expected files that are not the ones that were packed.

    files: expected name -> the bytes that were taken for it.
    """
    told = _hashes(raw)
    if told is None:
        return [f"{RECEIPT} cannot be read"]
    changed = [
        name
        for name, content in sorted(files.items())
        if name in told and told[name] != hashlib.sha256(content).hexdigest()
    ]
    lost = sorted(name for name in told if name not in files)
    notes = [f"{name} is not what the receipt lists: changed after packing" for name in changed]
    if lost:
        shown = ", ".join(printable(name, 40) for name in lost[:3])
        notes.append(f"the receipt lists files that are not here: {shown}" + ", ..." * (len(lost) > 3))
    return notes


def _hashes(raw: bytes) -> dict[str, str] | None:
    """File name -> SHA-256 as the receipt says; None if it is no receipt."""
    if len(raw) > MAX_RECEIPT:
        return None
    try:
        files = json.loads(raw).get("files", [])
        return {str(one["name"]): str(one["sha256"]) for one in files}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
