"""Checks of `llmlab.penalties`, one file per topic; this file only puts them together."""

from __future__ import annotations

from llmlab.checks.parts import put_together
from llmlab.checks.penalties import length, ngram, soft, together

TASKS, cases, judge = put_together(soft, ngram, length, together)
