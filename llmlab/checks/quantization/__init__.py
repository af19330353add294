"""Checks of `llmlab.quantization`, one file per topic; this file only puts them together."""

from __future__ import annotations

from llmlab.checks.parts import put_together
from llmlab.checks.quantization import blocks, floats, grids, kquant, layers, nibbles, tables

TASKS, cases, judge = put_together(grids, nibbles, floats, tables, blocks, kquant, layers)
