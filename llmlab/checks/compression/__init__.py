"""Checks of `llmlab.compression`, one file per topic; this file only puts them together."""

from __future__ import annotations

from llmlab.checks.compression import distillation, importance, pruning
from llmlab.checks.parts import put_together

TASKS, cases, judge = put_together(importance, pruning, distillation)
