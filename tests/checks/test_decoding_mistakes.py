"""Every mistake that the checks of the reshaping functions know by name can be recognised in some public case.

A rule that another one always hides, or that never differs from the right answer, would be a name nobody is told.
"""

import pytest
import torch

from llmlab.checks.decoding import rows, shaping, thresholds, truncation
from llmlab.checks.protocol import Raised, Returned

CASES = [case for part in (shaping, thresholds, truncation) for case in part.cases(0)
         if isinstance(case.expect, rows.Value)]
KNOWN = sorted({(case.task, name) for case in CASES for name, _, _ in case.expect.mistakes})


def verdicts(task: str, name: str):
    for case in CASES:
        for known, value, _ in case.expect.mistakes:
            if case.task == task and known == name:
                yield rows.judge(case, [Returned(value())], [])


@pytest.mark.parametrize(("task", "name"), KNOWN)
def test_a_known_mistake_is_told_by_name_in_some_case(task, name):
    assert any(not verdict.ok and verdict.misconception == name for verdict in verdicts(task, name))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.task}:{case.group}")
def test_the_expected_value_passes_and_a_wrong_shape_does_not(case):
    assert rows.judge(case, [Returned(case.expect.value)], []).ok
    mutated = rows.judge(case, [Returned(case.expect.value, ("argument 1",))], [])
    assert mutated.misconception == "changes-its-input"
    assert not rows.judge(case, [Returned(case.expect.value.unsqueeze(0))], []).ok
    assert not rows.judge(case, [Returned(torch.zeros(1))], []).ok
    assert not rows.judge(case, [Raised("IndexError", "list index out of range", 3)], []).ok


def test_nan_is_told_where_no_other_rule_fits():
    case = thresholds.top_k_case(thresholds.K_EDGES, torch.tensor([[1.0, -rows.INF, 0.5, 0.0]]), 2)
    got = torch.tensor([[1.0, float("nan"), 0.5, -rows.INF]])
    assert rows.judge(case, [Returned(got)], []).misconception == "makes-nan"
