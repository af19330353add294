"""Whatever student code returns, the checks of speculative judge it: no points, and no defect."""

from __future__ import annotations

import pytest

SOURCE = """
import torch
def junk(*args, **kwargs):
    return {value}
distribution = accept_probability = residual = verify = acceptance_rate = junk
expected_tokens = speedup = best_gamma = generate = junk
class ModelDraft:
    def __init__(self, *args): pass
    propose = lookup = feed = lengths = truncate = lambda self, *args: junk()
class LookupDraft(ModelDraft): pass
class EarlyExit(ModelDraft): pass
"""


@pytest.mark.parametrize(
    "value",
    [
        "None",
        "10 ** 3000",
        "float('nan')",
        "[[1, 2], [3]]",
        "[[2 ** 70]] * 8",
        "[[True]] * 256",
        "(torch.zeros(1, 3), None)",
        "(torch.zeros(1, 3).long(), torch.full((1, 3, 9), float('nan')))",
        "torch.zeros(0)",
        "torch.zeros(2, 3, dtype=torch.complex64)",
        "(torch.full((1, 3), -5), torch.zeros(1, 3, 9))",
    ],
)
def test_junk_earns_nothing_and_breaks_nothing(report, value):
    found = report("speculative", SOURCE.format(value=value).encode())
    assert found.earned == 0
    failures = [group.failure for task in found.tasks for group in task.groups]
    assert all(failures) and not [f.text() for f in failures if f.misconception == "check-failed"]
