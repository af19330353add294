"""Checks of `llmlab.flops`, one file per topic; this file only puts them together."""

from __future__ import annotations

from llmlab.checks.flops import intensity, layers, memory, passes, seconds
from llmlab.checks.flops.verdicts import judge  # all tasks of the module return numbers, or a dict of them
from llmlab.checks.parts import put_together

__all__ = ["TASKS", "cases", "judge"]

TASKS, cases, _ = put_together(layers, passes, memory, intensity, seconds)
