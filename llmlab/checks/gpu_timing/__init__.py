"""Checks of `llmlab.gpu_timing`, one file per topic; this file only puts them together.

Every device in here is the simulated one, so no check needs a GPU. It runs on the trusted side, and the student's timer
calls it through a `Remote`: what was launched, recorded and waited for is read from the calls.
"""

from __future__ import annotations

from llmlab.checks.gpu_timing import costs, graphs, roofline, samples, single, summary
from llmlab.checks.parts import put_together

TASKS, cases, judge = put_together(single, samples, graphs, summary, costs, roofline)
