"""Builds what students get, into dist/: a wheel of `llmlab`, and for each released lab a zip with it, the wheel and
the book.

    python -m llmlab.grading.artefact            every lab that is released
    python -m llmlab.grading.artefact lab1 lab2  these; nothing of the others' notebooks goes in

The wheel is the whole package with scaffolds for all lab modules; nothing of `solutions/` goes in.  All files
are scanned for answers (see `leaks`) before they go to dist/: with a finding, dist/ stays without them.
This does not make the release (`llmlab release`) nor the book (`make book`); it packs what is there.
The same contents give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console

from llmlab._finder import CONFIG, LAB_MODULES
from llmlab.grading import leaks
from llmlab.grading.course import Course, CourseError, course
from llmlab.grading.places import desk, released

EPOCH = (2026, 1, 1, 0, 0, 0)
EPOCH_SECONDS = "1767225600"
"""The date every packed file carries (2026-01-01 UTC), so that equal contents give equal archives."""

START = """\
{title}

You need Python 3.11 or newer. In this folder:

    python3 -m venv .venv
    .venv/bin/python -m pip install "{wheel}[lab]"
    .venv/bin/llmlab start my-labs {lab}
    cd my-labs && ../.venv/bin/llmlab check --watch

Do you have a workspace from an earlier lab? Install the new wheel, go there, and run `llmlab update {lab}`.

On Linux without a GPU, PyTorch's own site says how to get its CPU build; it saves several gigabytes.

    {lab}/    the notebook and the modules to fill in, as released
    book/    open book/index.html in a browser; it works without a network
"""


def build_wheel(where: Course, target: Path, labs: Iterable[str] = ()) -> Path:
    """Build the wheel of `llmlab` into the folder `target` and return its path.

    The notebooks of the released `labs` go in as `llmlab/_labs/<lab>/`, where `llmlab start` finds them.
    Built from a fresh copy: setuptools reuses a `build/` folder, and a file removed long ago would come back.
    Raises CourseError with the last lines of pip's output if the build fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "source"
        shutil.copytree(where.package, copy / "llmlab", ignore=shutil.ignore_patterns("__pycache__", ".*"))
        for lab in labs:
            own = shutil.ignore_patterns(
                CONFIG, ".*", "__pycache__", *(f"{module}.py" for module in LAB_MODULES)
            )
            shutil.copytree(where.assignments / "release" / lab, copy / "llmlab" / "_labs" / lab, ignore=own)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(where.root / name, copy)
        command = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            ".",
            "--no-deps",
            "--no-build-isolation",
            "--no-cache-dir",
            "--wheel-dir",
            str(target),
        ]
        done = subprocess.run(
            command,
            cwd=copy,
            capture_output=True,
            text=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH_SECONDS},
        )
        wheels = sorted(target.glob("llmlab-*.whl"))
        if done.returncode or len(wheels) != 1:
            last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
            raise CourseError(
                f"the wheel could not be built (pip's exit code {done.returncode}). Its last lines:\n{last}"
            )
    return wheels[0]


def title(where: Course, lab: str) -> str:
    """The first heading of the released notebook, such as "Lab 1: from logits to text"; else the lab's name."""
    notebook = json.loads((where.assignments / "release" / lab / f"{lab}.ipynb").read_bytes())
    lines = (line for cell in notebook["cells"] for line in "".join(cell["source"]).splitlines())
    return next((line.removeprefix("# ").strip() for line in lines if line.startswith("# ")), lab)


def collect(where: Course, lab: str, wheel: Path) -> dict[str, bytes]:
    """Name -> bytes of every file of the zip.

    A book that has not been built is left out.
    """
    start = START.format(title=title(where, lab), lab=lab, wheel=wheel.name)
    files = {"START.txt": start.encode(), wheel.name: wheel.read_bytes()}
    files |= dict(_tree(where.assignments / "release" / lab, lab))
    book = where.root / "_build" / "html"
    if (book / "index.html").is_file():
        files |= dict(_tree(book, "book"))
    return files


def _tree(folder: Path, prefix: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        if path.is_file() and not hidden:
            yield f"{prefix}/{inside.as_posix()}", path.read_bytes()


def write_zip(target: Path, top: str, files: dict[str, bytes]) -> Path:
    """Write `files` under the folder `top` of a zip, in the order of their names and with one fixed date."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{top}/{name}", EPOCH)
            entry.external_attr = 0o644 << 16
            stored = name.endswith(".whl")
            archive.writestr(entry, files[name], zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    return target


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of each file in a zip or wheel, also of the wheels in it: `lab.zip!pkg.whl!pkg/x.py`."""
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if info.is_dir():
                continue
            name, data = f"{archive.name}!{info.filename}", opened.read(info)
            if name.endswith((".whl", ".zip")):
                with tempfile.TemporaryDirectory() as scratch:
                    inner = Path(scratch) / Path(info.filename).name
                    inner.write_bytes(data)
                    yield from ((f"{archive.name}!{inside}", body) for inside, body in members(inner))
            else:
                yield name, data


def unseen(files: Iterable[tuple[str, bytes]], seen: set[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The files that were not in an earlier archive under the same name: wheel and book are in every lab's zip."""
    for name, data in files:
        known = (name.partition("!")[2].partition("/")[2], hashlib.sha256(data).digest())
        if known not in seen:
            seen.add(known)
            yield name, data


def make(where: Course, labs: Iterable[str] = ()) -> tuple[list[Path], list[leaks.Leak]]:
    """Build, scan and, if nothing is found, place the wheel and a zip for each lab in dist/.  Returns paths and leaks.

    labs: default every released one.  Raises CourseError if one has not been released or the wheel cannot be built.
    """
    labs = list(labs) or released(where)
    for lab in labs or ["lab1"]:
        release = desk(lab, where).release
        if not any(release.glob("*.ipynb")):
            raise CourseError(f"{release} holds no notebook. Make the release first: `llmlab release {lab}`.")
    secrets = leaks.answers(where.solutions, where.package / "checks")
    dist = where.root / "dist"
    with tempfile.TemporaryDirectory() as scratch:
        wheel = build_wheel(where, Path(scratch), labs)
        seen: set[tuple[str, bytes]] = set()
        bundles, found = [], []
        for lab in labs:
            bundle = Path(scratch) / f"llmlab-{lab}.zip"
            bundles.append(write_zip(bundle, bundle.stem, collect(where, lab, wheel)))
            found += leaks.scan(unseen(members(bundle), seen), secrets)
        dist.mkdir(exist_ok=True)
        for old in (*dist.glob("llmlab-*.whl"), *dist.glob("llmlab-lab*.zip")):
            old.unlink(missing_ok=True)
        if found:
            return [], found
        return [Path(shutil.copy(path, dist)) for path in (wheel, *bundles)], []


def main(argv: list[str] | None = None) -> int:
    """Make the files and print where they are; with a leak, print each and return 1."""
    parser = argparse.ArgumentParser(prog="python -m llmlab.grading.artefact", description="Make what students get.")
    parser.add_argument("labs", nargs="*", metavar="LAB", help="only these labs (default: every released one)")
    console = Console(soft_wrap=True)
    try:
        where = course()
        made, found = make(where, parser.parse_args(argv).labs)
    except (CourseError, ValueError) as error:
        console.print(f"[red]student artefact:[/red] {error}", highlight=False)
        return 1
    for leak in found:
        console.print(f"[red]leak[/red] {leak}", highlight=False)
    if found:
        console.print(
            f"[red]{len(found)} leaks: nothing was written to dist/.[/red] Remove the answer where it is "
            "quoted, or replace it by its scaffold (`make scaffolds`), and run `make student` again."
        )
        return 1
    with_book = any(name.split("/")[1:2] == ["book"] for name in zipfile.ZipFile(made[1]).namelist())
    for path in made:
        console.print(f"{path.relative_to(where.root)}  {path.stat().st_size / 1e6:.1f} MB", highlight=False)
    console.print(
        "no answer of solutions/ is in them"
        + ("" if with_book else "; the book is not built, so the zip has none (`make book`)")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
