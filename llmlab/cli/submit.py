"""`llmlab submit LAB`: packs modules and notebook as nbgrader's inbox wants them, with a receipt. Runs
nothing of them.

    submissions/lab1/        lab1.ipynb, decoding.py, penalties.py, receipt.json
    submissions/lab1.zip     the same, in a folder lab1/

What is missing or unusual is said and noted in the receipt; everything that can be packed is packed.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from llmlab import __version__
from llmlab._finder import find, workspace
from llmlab.cli import inspecting, store
from llmlab.cli.console import Stop, console, marks, say
from llmlab.cli.names import LABS
from llmlab.cli.workspace import released

RECEIPT, OUT = "receipt.json", "submissions"
CLOCK = "this computer's own clock; not used for lateness, which is decided by when the work arrives"


@dataclass
class Pack:
    """What goes in: file name -> bytes and time of the last save; what is missing; what is unusual."""

    files: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def collect(lab: str, root: Path) -> Pack:
    """Read and look at the files of a lab. Executes none of them."""
    pack = Pack()
    for module in LABS[lab]:
        found = find(module)
        if not found.path.is_relative_to(root):
            pack.warnings.append(
                f"{module}.py comes from {found.path} (chosen by {found.origin}), not from this workspace."
            )
        source = _take(pack, f"{module}.py", found.path)
        if source is not None:
            pack.warnings += inspecting.module(module, source, found.path.parent)
    name = f"{lab}.ipynb"
    raw = _take(pack, name, root / name)
    if raw is not None:
        pack.warnings += inspecting.notebook(name, raw, released().get(name))
        pack.warnings += inspecting.stale(name, raw, pack.files)
    return pack


def _take(pack: Pack, name: str, path: Path) -> bytes | None:
    try:
        data, saved = path.read_bytes(), path.stat().st_mtime
    except OSError as error:
        why = (
            "is a folder"
            if path.is_dir()
            else "is not there"
            if not path.exists()
            else f"cannot be read: {error.strerror}"
        )
        pack.missing.append(f"{name} {why} (looked at {path}).")
        return None
    if path.is_symlink():
        pack.warnings.append(f"{name} is a link; what it points to was packed: {path.resolve()}.")
    pack.files[name] = (data, saved)
    return data


def receipt(lab: str, pack: Pack, now: datetime) -> dict:
    """What was packed, as plain data: name, SHA-256, size in bytes, time of the last save (UTC) of each
    file. The times are this computer's, and say so: lateness is decided by when the work arrives.
    """
    files = [
        {
            "name": name,
            "sha256": store.sha(data),
            "bytes": len(data),
            "saved": datetime.fromtimestamp(saved, UTC).isoformat(timespec="seconds"),
        }
        for name, (data, saved) in sorted(pack.files.items())
    ]
    return {
        "lab": lab,
        "packed": now.isoformat(timespec="seconds"),
        "clock": CLOCK,
        "llmlab": __version__,
        "files": files,
        "missing": pack.missing,
        "warnings": pack.warnings,
    }


def run(lab: str) -> int:
    """Pack a lab; 0 if nothing is missing, else 1."""
    root = workspace()
    if root is None:
        raise Stop(
            f"There is no llmlab.toml in {Path.cwd()} or above it. Go to your workspace, then run "
            f"`llmlab submit {lab}` again."
        )
    pack = collect(lab, root)
    if not pack.files:
        raise Stop(f"There is nothing to pack: {' '.join(pack.missing)}", 1)
    told = receipt(lab, pack, datetime.now(UTC))
    folder, archive = write(root / OUT, lab, pack, told)
    _speak(lab, pack, told, folder, archive)
    return 1 if pack.missing else 0


def write(out: Path, lab: str, pack: Pack, told: dict) -> tuple[Path, Path]:
    """Write folder and zip; an earlier pack of ours is replaced, anything else in its place is not. Raises
    Stop.
    """
    folder, archive = out / lab, out / f"{lab}.zip"
    if (
        folder.exists()
        and not (folder / RECEIPT).is_file()
        and (not folder.is_dir() or any(folder.iterdir()))
    ):
        raise Stop(
            f"{folder} exists and was not made by `llmlab submit` (it holds no {RECEIPT}). Move "
            "it away first."
        )
    out.mkdir(parents=True, exist_ok=True)
    contents = {name: data for name, (data, _) in pack.files.items()}
    contents[RECEIPT] = (json.dumps(told, indent=1) + "\n").encode()
    fresh = Path(tempfile.mkdtemp(dir=out, prefix=f".{lab}-"))
    try:
        fresh.chmod(0o755)
        for name, data in contents.items():
            (fresh / name).write_bytes(data)
        zipped = fresh / "zip"
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as into:
            for name, data in sorted(contents.items()):
                into.writestr(f"{lab}/{name}", data)
        zipped.replace(archive)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return folder, archive


def _speak(lab: str, pack: Pack, told: dict, folder: Path, archive: Path) -> None:
    signs = marks(console())
    for file in told["files"]:
        say(
            f"{signs['ok']} {file['name']}  {file['bytes']:,} bytes  sha256 "
            f"{file['sha256'][:12]}  saved {file['saved']}",
            "green",
        )
    for text in pack.missing:
        say(f"{signs['bad']} missing: {text}", "red")
    for text in pack.warnings:
        say(f"! {text}", "yellow")
    say()
    say(f"Packed: {folder}")
    say(f"Zip:    {archive}")
    if pack.missing:
        say("Something is missing. You can hand this in as it is; what is missing gets no points.", "red")
    say(
        "This is a copy of the saved files. Save the notebook in Jupyter before you pack; "
        "nothing was run or sent.",
        "dim",
    )
