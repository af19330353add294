"""Whatever student code returns or keeps, the checks of kv_cache judge it: no points, and no defect of the check."""

from __future__ import annotations

import pytest

SOURCE = """
import torch
def junk(*args, **kwargs):
    return {value}
changed_rows = positions = attention_mask = attention = forward = prefill = generate = junk
class KVCache:
    def __init__(self, *args): pass
    append = view = length = capacity = nbytes = truncate = lambda self, *args, **kwargs: junk()
class WindowCache(KVCache): pass
"""


@pytest.mark.parametrize(
    "value",
    [
        "None",
        "10 ** 3000",
        "[[1, 2], [3]]",
        "(1, 2, 3)",
        "(None, None)",
        "torch.zeros(0)",
        "torch.zeros(1, 1, 1, 1, dtype=torch.complex64)",
        "(torch.zeros(1, 1, 3, 2), None)",
        "(torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2))",
        "torch.full((1, 31), float('nan'))",
        "[[True]]",
        "[[2 ** 40] * 5]",
    ],
)
def test_junk_earns_nothing_and_breaks_nothing(report, value):
    found = report("kv_cache", SOURCE.format(value=value).encode())
    assert found.earned == 0
    failures = [group.failure for task in found.tasks for group in task.groups]
    assert all(failures) and not [f.text() for f in failures if f.misconception == "check-failed"]
