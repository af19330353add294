"""The data of the quantization stepper: up to date, and the reference agrees with the course's own functions."""

from __future__ import annotations

import doctest
import json
from types import ModuleType

import pytest
import torch

from tests.book.data import read, script, solved


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    return script("make_quantization")


def test_the_files_are_what_their_script_writes(maker: ModuleType) -> None:
    for name, made in (("quantization.json", maker.make()), ("quantization_reference.json", maker.reference())):
        assert read(name) == json.loads(json.dumps(maker.short(made))), "run `python book/_data/make_quantization.py`"
    assert doctest.testmod(maker).failed == 0


def test_the_settings_have_all_choices() -> None:
    data, rows = read("quantization.json"), read("quantization_reference.json")
    for key, choices in (("scheme", "schemes"), ("bits", "bits"), ("group", "groups"), ("outlier", "shifts")):
        assert set(data[choices]) <= {row[key] for row in rows}
    assert any(row["outlier"] is None for row in rows)


def test_the_reference_agrees_with_the_students_functions(maker: ModuleType) -> None:
    """Codes may differ by rounding in float32 only where a number is within 1e-4 of the middle between two."""
    q, data = solved("quantization"), read("quantization.json")
    table = torch.tensor(data["table"])
    doubtful = 0
    for row in read("quantization_reference.json"):
        x = torch.tensor([maker.moved(data["weights"], row["outlier"])])
        groups = row["result"]["groups"]
        if row["scheme"] == "nf4":
            codes, scales = q.table_codes(x, table, row["group"])
            back = q.dequantize(table[codes.long()], scales)
        elif row["scheme"] == "symmetric":
            codes, scales = q.symmetric(x, row["bits"], row["group"])
            back = q.dequantize(codes, scales)
        else:
            codes, scales, zeros = q.affine(x, row["bits"], row["group"])
            back = q.dequantize(codes, scales, zeros)
            ties = [abs((-one["low"] / one["scale"]) % 1 - 0.5) < 1e-4 for one in groups]
            if any(ties):
                doubtful += 1
                continue
            assert zeros.flatten().tolist() == [one["zero"] for one in groups]
        assert scales.flatten().tolist() == pytest.approx([one["scale"] for one in groups], rel=1e-6)
        ours = [code for one in groups for code in one["codes"]]
        places = [place for one in groups for place in one["places"]]
        for theirs, code, place in zip(codes.flatten().tolist(), ours, places, strict=True):
            if theirs != code:
                doubtful += 1
                assert row["scheme"] != "nf4" and abs(theirs - code) == 1 and abs(abs(place) % 1 - 0.5) < 1e-4
        error = float((back - x).square().sum() / x.square().sum())
        assert row["result"]["error"] == pytest.approx(error, rel=1e-2)
    assert doubtful < 20


def test_a_smaller_group_keeps_the_others_from_the_outlier(maker: ModuleType) -> None:
    x = maker.moved(read("quantization.json")["weights"], 2.0)
    others = [maker.steps(x, "symmetric", 4, group)["others"] for group in (64, 32, 16, 8)]
    assert others == sorted(others, reverse=True) and others[0] > 3 * others[-1]
