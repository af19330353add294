"""The versions of a lab module that the course knows: the solution, its mutants and its legal alternatives.

A variant file holds only the functions it replaces. They are put behind the solution's source, so the later definition
wins and every other function of the module stays right. Its docstring ends in two lines that name what should happen:

    task: decoding.top_p
    says: drops-crossing-token        (mutants only: the misconception that the check must name)
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from llmlab.grading.course import Course, CourseError, course


@dataclass(frozen=True)
class Variant:
    """One version of a lab module. `says` is empty for an alternative, which must pass."""

    module: str
    name: str
    story: str
    task: str
    says: str
    source: bytes


def solution(module: str, where: Course | None = None) -> bytes:
    """The solution's source. Raises CourseError if there is none."""
    file = (where or course()).solutions / f"{module}.py"
    if not file.is_file():
        raise CourseError(f"There is no solution {file}.")
    return file.read_bytes()


def mutants(module: str, where: Course | None = None) -> list[Variant]:
    """Wrong answers that students give, sorted by name."""
    return _variants("mutants", module, where, ("task", "says"))


def alternatives(module: str, where: Course | None = None) -> list[Variant]:
    """Right answers written in another way, sorted by name."""
    return _variants("alternatives", module, where, ("task",))


def _variants(kind: str, module: str, where: Course | None, keys: tuple[str, ...]) -> list[Variant]:
    where = where or course()
    base = solution(module, where)
    return [_variant(file, module, base, keys) for file in sorted((where.solutions / kind / module).glob("*.py"))]


def _variant(file: Path, module: str, base: bytes, keys: tuple[str, ...]) -> Variant:
    text = file.read_text(encoding="utf-8")
    story = ast.get_docstring(ast.parse(text)) or ""
    said = {}
    for key in keys:
        found = re.search(rf"^{key}: (\S+)$", story, re.MULTILINE)
        if not found:
            raise CourseError(f"{file} must name its {key}: end its docstring with a line '{key}: ...'.")
        said[key] = found[1]
    return Variant(module, file.stem, story.partition("\n")[0], said["task"], said.get("says", ""),
                   base + b"\n\n" + text.encode())
