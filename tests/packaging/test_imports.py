"""Every package that the repository imports is a direct dependency of its own, not a guest of another's."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from tools.freeze import canonical

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("llmlab", "solutions", "book", "benchmarks", "tests", "tools")
OWN = {"llmlab", "solutions", "tests", "tools", "benchmarks", "book"}


def imported() -> dict[str, set[str]]:
    """Top-level name -> files that import it, over every Python file and every code cell of a chapter."""
    found: dict[str, set[str]] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix == ".py":
                sources = [path.read_text(encoding="utf-8")]
            elif path.suffix == ".md":
                sources = re.findall(
                    r"^```\{code-cell\}.*?\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S
                )
            else:
                continue
            for source in sources:
                for name in names(source):
                    found.setdefault(name, set()).add(path.relative_to(ROOT).as_posix())
    return found


def names(source: str, only_at_import: bool = False) -> set[str]:
    """Top-level names of the absolute imports in a source; a deliberately broken one has none.

    With `only_at_import`, those outside of functions: what is needed to import the file at all.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    found = set()
    for node in tree.body if only_at_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OWNERS = importlib.metadata.packages_distributions()


def guests(wanted: dict[str, set[str]], requirements: list[str]) -> dict[str, list[str]]:
    """Of the names in `wanted`, those that no requirement provides, with the files that import them."""
    declared = {canonical(Requirement(text).name) for text in requirements}
    local = {path.stem for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")} | OWN
    found = {}
    for name, files in wanted.items():
        own = name in sys.stdlib_module_names or name in OWN or (name in local and name not in OWNERS)
        if not own and not {canonical(owner) for owner in OWNERS.get(name, [])} & declared:
            found[name] = sorted(files)
    return found


def test_every_import_is_declared() -> None:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    undeclared = guests(imported(), [text for group in groups for text in group])
    assert undeclared == {}, "add these to pyproject.toml, constraints.txt and docs/dependencies.md"


def test_a_student_can_import_everything_but_the_graders_side() -> None:
    """A wheel without extras: what a module of `llmlab` imports at once is among the plain dependencies."""
    wanted: dict[str, set[str]] = {}
    for path in sorted((ROOT / "llmlab").rglob("*.py")):
        if "grading" not in path.parts:
            for name in names(path.read_text(encoding="utf-8"), only_at_import=True):
                wanted.setdefault(name, set()).add(path.relative_to(ROOT).as_posix())
    assert "torch" in wanted
    assert guests(wanted, PROJECT["dependencies"]) == {}


def test_a_guest_would_be_noticed() -> None:
    assert guests({"iniconfig": {"a.py"}}, ["pytest==9.2.0"]) == {"iniconfig": ["a.py"]}
    assert guests({"no_such_package": {"a.py"}}, []) == {"no_such_package": ["a.py"]}
    assert guests({"yaml": {"a.py"}, "json": {"a.py"}}, ["PyYAML"]) == {}
