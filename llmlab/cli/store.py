"""Files that the command writes: whole or not at all, and its own small records in `.llmlab/`.

`.llmlab/state.json` keeps the hashes of what `start` and `update` wrote; `.llmlab/results.json` the last
verdicts. A record that cannot be read counts as empty: then every file counts as the student's own work.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

FOLDER = ".llmlab"


def sha(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def write(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        os.chmod(name, mode)
        os.replace(name, path.resolve() if path.is_symlink() else path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def load(root: Path, name: str) -> tuple[dict, bool]:
    """A record of the workspace `root`, and whether it could be read (a missing one can)."""
    try:
        data = json.loads((root / FOLDER / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, True
    except (OSError, ValueError):
        return {}, False
    return (data, True) if isinstance(data, dict) else ({}, False)


def save(root: Path, name: str, data: dict) -> None:
    """Write a record of the workspace `root`."""
    write(root / FOLDER / name, (json.dumps(data, indent=1, sort_keys=True) + "\n").encode())
