"""The cases that a class is graded with: another seed than the public one, and the extra cases in `solutions/hidden/`.

`solutions/hidden/X.py` defines `SEED` (int) and `extra() -> list[Case]` with shapes and edges that no public case has.
"""

from __future__ import annotations

import types

from llmlab.checks import registry
from llmlab.checks.protocol import Case
from llmlab.grading.course import Course, CourseError, course


def source(module: str, where: Course | None = None) -> bytes:
    """The text that makes the hidden cases of a module. Raises CourseError."""
    file = (where or course()).solutions / "hidden" / f"{module}.py"
    if not file.is_file():
        raise CourseError(f"There are no hidden cases {file}; write SEED and extra() there.")
    return file.read_bytes()


def made(module: str, text: bytes) -> list[Case]:
    """The hidden cases that a text makes, expected values included."""
    hidden = types.ModuleType(f"_hidden_{module}")
    exec(compile(text, f"{module}.py of the hidden cases", "exec"), hidden.__dict__)
    return registry.checks_of(module).cases(hidden.SEED) + hidden.extra()


def cases(module: str, where: Course | None = None) -> list[Case]:
    """Hidden cases of a module of the course: made once, used for every submission."""
    return made(module, source(module, where))
