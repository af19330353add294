"""Checks of `llmlab.medusa`, one file per topic; this file only puts them together."""

from __future__ import annotations

from llmlab.checks.medusa import heads, loop, passes, trees, typical
from llmlab.checks.parts import put_together

TASKS, cases, judge = put_together(heads, trees, passes, loop, typical)
