"""The solution of paged_cache as a module of its own, for the tests of this folder."""

from __future__ import annotations

import types
from functools import cache

from llmlab.grading import variants


@cache
def solved() -> types.ModuleType:
    found = types.ModuleType("solved_paged_cache")
    exec(compile(variants.solution("paged_cache"), "paged_cache.py", "exec"), found.__dict__)
    return found
