"""Checks of `llmlab.speculative`, one file per topic; this file only puts them together."""

from __future__ import annotations

from llmlab.checks.parts import put_together
from llmlab.checks.speculative import drafts, exits, lookups, loop, numbers, processed, rules, steps

TASKS, cases, judge = put_together(processed, rules, steps, numbers, drafts, lookups, exits, loop)
