"""Whatever student code returns or asks for, the checks of medusa and compression judge it: no points, no defect."""

from __future__ import annotations

import pytest

from llmlab.checks import registry
from llmlab.grading import variants

SOURCE = """
import torch
def junk(*args, **kwargs):
    return {value}
{names} = junk
"""


@pytest.mark.parametrize("module", ["medusa", "compression"])
@pytest.mark.parametrize(
    "value",
    [
        "None",
        "10 ** 3000",
        "[[1, 2], [3]]",
        "(None, None)",
        "([1, 2], [2 ** 70])",
        "torch.zeros(0)",
        "torch.zeros(1, 1, dtype=torch.complex64)",
        "(torch.zeros(2, 2), [None])",
        "torch.full((1, 6, 36), float('nan'))",
        "{'q_proj': None, 'o_proj': torch.zeros(0)}",
        "[True]",
        "[torch.tensor(0), torch.tensor(1.5)]",
    ],
)
def test_junk_earns_nothing_and_breaks_nothing(report, module, value):
    names = " = ".join(task.function for task in registry.tasks(module))
    found = report(module, SOURCE.format(value=value, names=names).encode())
    assert found.earned == 0
    failures = [group.failure for task in found.tasks for group in task.groups]
    assert all(failures) and not [f.text() for f in failures if f.misconception == "check-failed"]


GENERATE = """
def generate(model, cache, heads, ids, max_new_tokens, tops):
    if max_new_tokens < 1:
        raise ValueError(str(max_new_tokens))
    {line}
    return [1], [1]
"""


@pytest.mark.parametrize(
    "line",
    [
        "cache.append(keys=torch.zeros(1, 2, 1, 6), values=torch.zeros(1, 2, 1, 6), layer=0)",
        "cache.append(0, torch.zeros(1, 2, 9, 6), torch.zeros(1, 2, 9, 6)); cache.keep(columns=[8])",
        "cache.keep([])",
        "tree_pass(model, cache, ids, list(range(-1, len(ids) - 1))); cache.keep(torch.tensor([0]))",
        "tree_pass(model, cache, ids, [-1] * len(ids)); tree_pass(model, cache, ids, [-1] * len(ids))",
    ],
)
def test_odd_questions_to_the_cache_break_nothing(report, line):
    source = variants.solution("medusa") + GENERATE.format(line=line).encode()
    task = report("medusa", source, only="medusa.generate").task("medusa.generate")
    assert task.earned == 0
    assert not [g.failure.text() for g in task.groups if g.failure.misconception == "check-failed"]
