"""The cases that a class is graded with: another seed than the public one, and the extra cases in `solutions/hidden/`.

`solutions/hidden/X.py` defines `SEED` (int) and `extra() -> list[Case]` with shapes and edges that no public case has.
"""

from __future__ import annotations

import importlib.util

from llmlab.checks import registry
from llmlab.checks.protocol import Case
from llmlab.grading.course import Course, CourseError, course


def cases(module: str, where: Course | None = None) -> list[Case]:
    """Hidden cases of a module, expected values included: made once, used for every submission."""
    file = (where or course()).solutions / "hidden" / f"{module}.py"
    spec = importlib.util.spec_from_file_location(f"_hidden_{module}", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise CourseError(f"There are no hidden cases {file}; write SEED and extra() there.")
    hidden = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hidden)
    return registry.checks_of(module).cases(hidden.SEED) + hidden.extra()
