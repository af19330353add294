"""The names a person may type: labs, modules, tasks. A wrong one is answered with what there is. Imports no
torch.

Without a name a command is about the labs of this workspace: those with a module or the notebook in it.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from pathlib import Path

from llmlab._finder import LAB_MODULES, LABS, PACKAGE, code_folder, find, workspace
from llmlab.cli.console import Stop


def functions(module: str) -> list[str]:
    """Names of the public functions and classes in a module's scaffold, in order."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    return [
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    ]


def unknown(what: str, name: str, known: Iterable[str], listed: Iterable[str] | None = None) -> Stop:
    """The one line for a name that does not exist: a near one if there is one, and what there is."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    close = close or [full for full in known if full.rpartition(".")[2] == name][:1]
    hint = f" Did you mean {close[0]!r}?" if close else ""
    there = list(listed if listed is not None else known)
    return Stop(
        f"There is no {what} {name!r}.{hint} There {'is' if len(there) == 1 else 'are'}: {', '.join(there)}."
    )


def lab(name: str) -> str:
    """The lab of this name. Raises Stop naming what there is."""
    if name not in LABS:
        raise unknown("lab", name, LABS)
    return name


def here(root: Path | None = None) -> list[str]:
    """The labs of a workspace (default: where commands look now), by what is there: at least one module, or the
    notebook. None there: all labs.
    """
    code = (lambda module: find(module).path) if root is None else (lambda module: code_folder(root) / f"{module}.py")
    root = root or workspace()
    found = [
        name
        for name, modules in LABS.items()
        if any(code(module).is_file() for module in modules) or (root and (root / f"{name}.ipynb").is_file())
    ]
    return found or list(LABS)


def modules_here() -> list[str]:
    """The modules of the labs of this workspace; a file of one may be missing. Raises LabModuleError if all are."""
    modules = [module for name in here() for module in LABS[name]]
    if not any(find(module).path.is_file() for module in modules):
        find(modules[0]).read()
    return modules


def expand(names: list[str]) -> dict[str, list[str]]:
    """Module -> task ids asked for (empty: all of them), from "lab1", "decoding", "decoding.py",
    "decoding.top_p".

    No name means every module of the workspace's labs. Raises Stop for a name that does not exist.
    """
    wanted: dict[str, list[str]] = {}
    for name in names or modules_here():
        for part in LABS.get(name, (name,)):
            module, _, task = part.replace("\\", "/").rpartition("/")[2].removesuffix(".py").partition(".")
            if module not in LAB_MODULES:
                tasks = [f"{m}.{function}" for m in LAB_MODULES for function in functions(m)]
                raise unknown(
                    "lab module or task", name, (*LAB_MODULES, *LABS, *tasks), (*LAB_MODULES, *LABS)
                )
            if task and task not in functions(module):
                mine = [f"{module}.{function}" for function in functions(module)]
                raise unknown("task", f"{module}.{task}", mine)
            whole = module in wanted and not wanted[module]
            wanted[module] = [] if whole or not task else [*wanted.get(module, []), f"{module}.{task}"]
    return wanted
