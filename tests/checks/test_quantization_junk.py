"""Whatever student code returns or keeps, quantization's checks judge it: no points, and no defect of the check."""

from __future__ import annotations

import pytest

SOURCE = """
import torch
def junk(*args, **kwargs):
    return {value}
symmetric = affine = dequantize = pack_int4 = unpack_int4 = decode_float = round_float = nf4_table = table_codes = junk
double_quantize = q8_0 = q4_0 = q4_k = from_q4_k = quantize_kv = bits_per_weight = junk
class QuantizedLinear:
    def __init__(self, *args): pass
    stored = forward = lambda self, *args: junk()
"""


@pytest.mark.parametrize("value", [
    "None", "10 ** 3000", "[[1, 2], [3]]", "(1, 2, 3)", "(torch.zeros(0), None)", "torch.zeros(0)",
    "torch.zeros(2, 8, dtype=torch.complex64)", "torch.full((3, 8), float('nan'))", "{'packed': 3}",
    "{'packed': torch.zeros(4, 4), 'scales': torch.zeros(()), 'bias': torch.zeros(0)}",
    "(torch.zeros(2, 8, dtype=torch.bool), torch.zeros(2, 1), torch.zeros(()))"])
def test_junk_earns_nothing_and_breaks_nothing(report, value):
    found = report("quantization", SOURCE.format(value=value).encode())
    assert found.earned == 0
    failures = [group.failure for task in found.tasks for group in task.groups]
    assert all(failures) and not [f.text() for f in failures if f.misconception == "check-failed"]
