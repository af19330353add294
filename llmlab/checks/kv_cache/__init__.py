"""Checks of `llmlab.kv_cache`, one file per topic; this file only puts them together."""

from __future__ import annotations

from llmlab.checks.kv_cache import attend, loop, passes, places, rows, stores, windows
from llmlab.checks.parts import put_together

TASKS, cases, judge = put_together(rows, places, attend, stores, windows, passes, loop)
