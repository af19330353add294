"""Checks of `llmlab.decoding`, one file per topic; this file only puts them together."""

from __future__ import annotations

from llmlab.checks.decoding import beam, loop, sampling, shaping, thresholds, truncation
from llmlab.checks.parts import put_together

TASKS, cases, judge = put_together(shaping, thresholds, truncation, sampling, loop, beam)
