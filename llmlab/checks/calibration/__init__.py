"""Checks of `calibration`, one file per topic. The oracles are loops over numbers, with inverses written out."""

from llmlab.checks.calibration import awq, columns, int8, measures, scales, states
from llmlab.checks.parts import put_together

__all__ = ["TASKS", "cases", "judge"]

TASKS, cases, judge = put_together(int8, scales, awq, columns, states, measures)
