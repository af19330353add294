"""`llmlab start` and `llmlab update`: a student's folder, and new versions of what was put there.

A workspace holds all labs, or those named at its start; what is there now says which (`names.here`).

Neither ever overwrites work. A file is replaced only while it is byte for byte what these commands wrote;
otherwise the new version is put beside it as NAME.new, once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from llmlab import __version__
from llmlab._finder import CONFIG, LAB_MODULES, PACKAGE, code_folder, workspace
from llmlab.cli import names, store
from llmlab.cli.console import Stop
from llmlab.cli.names import LABS

STATE = "state.json"
TOML = b"""# This file marks your workspace. llmlab looks for it from the current folder upwards.
[workspace]
code = "."  # the folder with your modules: decoding.py, flops.py, ...
# book = "../book"  # the built book (a folder or an https address): checks then link to its sections
"""
README = b"""# My llmlab workspace

The modules (`decoding.py`, `flops.py`, ...) are yours to fill in; a notebook (`lab1.ipynb`) leads through each lab.

    llmlab check                   check what you have begun; `lab1`, `decoding`, `decoding.top_p` check that one
    llmlab check --watch           check again at every save
    llmlab progress                how far you are
    llmlab where                   which files are tested
    llmlab submit lab1             pack what you hand in
    llmlab update                  new versions of modules and notebooks; your work is never overwritten
    llmlab update lab2             the same, and add another lab
"""


@dataclass
class Changes:
    """What happened to the files, by name; `notes` are whole sentences for the person."""

    written: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def released(labs: Iterable[str] = LABS) -> dict[str, bytes]:
    """Notebooks and other files of the released ones of these labs: from the package, else from the course
    repository around it.
    """
    found: dict[str, bytes] = {}
    for lab in labs:
        for folder in (PACKAGE / "_labs" / lab, PACKAGE.parent / "assignments" / "release" / lab):
            files = [
                file
                for file in sorted(folder.glob("*"))
                if file.is_file()
                and file.name[0] not in "._"
                and file.name != CONFIG
                and file.stem not in LAB_MODULES
            ]
            if files:
                found |= {file.name: file.read_bytes() for file in files}
                break
        else:
            single = PACKAGE / "_labs" / f"{lab}.ipynb"
            if single.is_file():
                found[single.name] = single.read_bytes()
    return found


def templates(code: Path, root: Path, labs: Iterable[str] = LABS) -> dict[Path, bytes]:
    """What a workspace of these labs should hold: modules in the folder `code`, notebooks in `root`."""
    labs = list(labs)
    files = [f"{module}.py" for lab in labs for module in LABS[lab]]
    modules = {code / file: (PACKAGE / file).read_bytes() for file in files}
    return modules | {root / name: data for name, data in released(labs).items()}


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def start(folder: str, labs: Iterable[str] = ()) -> tuple[Path, Changes]:
    """Make a workspace in `folder`, or add what is missing to one: these labs, by default all of a new workspace
    and those that a workspace has. Raises Stop if that would overwrite anything.
    """
    root = Path(folder).expanduser().absolute()
    labs = list(labs)
    if root.exists() and not root.is_dir():
        raise Stop(f"{root} is a file. Give the name of a folder, for example `llmlab start my-labs`.")
    if (root / CONFIG).is_file():
        return root, _bring(root, labs, only_missing=True)
    files = {root / CONFIG: TOML} | templates(root, root, labs or LABS)
    clash = [path.name for path, data in files.items() if path.exists() and not _same(path, data)]
    if clash:
        raise Stop(
            f"{root} already holds {', '.join(clash)}, which this command would have to "
            "overwrite. Nothing was "
            "written. Choose another folder, or move these files away first."
        )
    outer = workspace(root.parent)
    changes = Changes()
    if outer:
        changes.notes.append(f"{root} lies inside the workspace {outer}. In {root.name}/ the new one counts.")
    if not (root / "README.md").exists():
        files[root / "README.md"] = README
    kept: dict[str, str] = {}
    for path, data in sorted(
        files.items(), key=lambda item: item[0].name == CONFIG
    ):  # the mark of a workspace last
        store.write(path, data)
        if path.name != CONFIG:
            kept[_name(path, root)] = store.sha(data)
        changes.written.append(_name(path, root))
    store.save(root, STATE, {"version": 1, "llmlab": __version__, "written": kept, "offered": {}})
    return root, changes


def update(labs: Iterable[str] = ()) -> tuple[Path, Changes]:
    """Bring new versions of modules and notebooks into the workspace around the current folder; also add these labs."""
    root = workspace()
    if root is None:
        raise Stop(
            f"There is no {CONFIG} in {Path.cwd()} or above it, so this is no workspace. Go to "
            "yours, or make one "
            "with `llmlab start DIR`."
        )
    labs = [*names.here(root), *labs]
    changes = _bring(root, labs, only_missing=False)
    if others := [lab for lab in LABS if lab not in labs]:
        changes.notes.append(f"Not in this workspace: {', '.join(others)}. `llmlab update {others[0]}` adds one.")
    return root, changes


def _same(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def _bring(root: Path, labs: list[str], only_missing: bool) -> Changes:
    """Write what is missing; unless `only_missing`, replace what is untouched and put the rest beside.

    labs: default those that the workspace has.
    """
    changes = Changes()
    labs = labs or names.here(root)
    state, readable = store.load(root, STATE)
    written = _hashes(state.get("written"))
    offered = _hashes(state.get("offered"))
    if not readable:
        changes.notes.append(
            f"{root / store.FOLDER / STATE} could not be read, so every file counts as your own work."
        )
    for path, data in templates(code_folder(root), root, labs).items():
        name, new = _name(path, root), store.sha(data)
        if not path.exists():
            store.write(path, data)
            changes.written.append(name)
            written[name] = new
        elif not path.is_file():
            changes.notes.append(f"{name} should be a file, but is a folder. It was left alone; rename it.")
        elif (present := store.sha(path.read_bytes())) == new:
            written[name] = new
        elif only_missing:
            changes.kept.append(name)
        elif present == written.get(name):
            store.write(path, data)
            changes.replaced.append(name)
            written[name] = new
        elif new in (written.get(name), offered.get(name)):
            changes.kept.append(name)
        else:
            beside = _free(path, offered.get(name))
            store.write(beside, data)
            changes.beside.append(_name(beside, root))
            offered[name] = new
    store.save(root, STATE, {"version": 1, "llmlab": __version__, "written": written, "offered": offered})
    return changes


def _hashes(data: object) -> dict[str, str]:
    return {k: v for k, v in data.items() if isinstance(v, str)} if isinstance(data, dict) else {}


def _free(path: Path, ours: str | None) -> Path:
    """NAME.new, or NAME.new2, ... : the first that does not exist or is still what an earlier update put
    there.
    """
    number = 1
    while True:
        beside = path.with_name(f"{path.name}.new{number if number > 1 else ''}")
        if not beside.exists() or (beside.is_file() and store.sha(beside.read_bytes()) == ours):
            return beside
        number += 1
