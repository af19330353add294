"""The quantization grid's arithmetic in JavaScript against the Python reference, on every setting of its knobs."""

from __future__ import annotations

import functools
import itertools
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.book.data import read, script, solved
from tests.book.node import call_figure, planted

DATA = read("quantization.json")
STATES = [
    {"scheme": scheme, "bits": bits, "group": group, "outlier": outlier}
    for scheme, bits, group, outlier in itertools.product(
        DATA["schemes"], DATA["bits"], DATA["groups"], (None, *DATA["shifts"])
    )
    if scheme != "nf4" or bits == 4
]
# What the shipped weights do not have: all on one side of 0; steps of 1/2 (many ties) and a group of zeros.
OTHERS = [
    {**DATA, "weights": [0.5 + i % 7 for i in range(64)]},
    {**DATA, "weights": [(i * 5 % 29 - 14) / 2 if i >= 8 else 0.0 for i in range(64)]},
]
CASES = [(DATA, state) for state in STATES] + [(data, state) for data in OTHERS for state in STATES[::3]]


@functools.cache
def maker() -> ModuleType:
    """make_quantization.py with what the reader gets: the file's 8 digits of the table."""
    module = script("make_quantization")
    module.PUBLISHED = DATA["table"]
    return module


@functools.cache
def wanted(
    weights: tuple[float, ...], scheme: str, bits: int, group: int, outlier: float | None
) -> tuple[list[float], dict[str, Any]]:
    """The weights with the outlier moved, and the reference's result."""
    x = maker().moved(weights, outlier)
    return x, maker().steps(x, scheme, bits, group)


def mistakes(figure: str | Path, cases: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[str]:
    """Where the figure and book/_data/make_quantization.py differ."""
    found = []
    for (data, state), got in zip(cases, call_figure(figure, "compute", cases), strict=True):
        x, want = wanted(tuple(data["weights"]), *state.values())
        for key in ("scale", "zero", "codes", "back"):
            if [one[key] for one in got["groups"]] != [one[key] for one in want["groups"]]:
                found.append(f"{state}: {key}")
        for key in ("error", "others", "bits"):
            if not math.isclose(got[key], want[key], rel_tol=1e-12):
                found.append(f"{state}: {key} {got[key]} is not {want[key]}")
        codes = [code for one in want["groups"] for code in one["codes"]]
        if got["used"] != [codes.count(got["least"] + i) for i in range(len(got["used"]))]:
            found.append(f"{state}: used")
        for one in got["groups"]:
            part = slice(one["first"], one["first"] + state["group"])
            rms = math.sqrt(
                sum((a - b) ** 2 for a, b in zip(x[part], got["back"][part], strict=True)) / state["group"]
            )
            if not math.isclose(one["rms"], rms, rel_tol=1e-9, abs_tol=1e-15):
                found.append(f"{state}: rms {one['rms']} is not {rms}")
    return found


def test_javascript_agrees_with_the_reference_in_python() -> None:
    assert len(STATES) >= 600
    assert not mistakes("quantization-grid", CASES)


def test_javascript_agrees_with_the_committed_reference() -> None:
    rows = read("quantization_reference.json")
    for row, got in zip(
        rows, call_figure("quantization-grid", "compute", [(DATA, row) for row in rows]), strict=True
    ):
        for one, want in zip(got["groups"], row["result"]["groups"], strict=True):
            assert one["codes"] == want["codes"] and one["zero"] == want["zero"]
            assert one["scale"] == pytest.approx(want["scale"], rel=1e-7)
        for key in ("error", "others", "bits"):
            assert got[key] == pytest.approx(row["result"][key], rel=1e-6)


def test_the_figure_rounds_as_the_solution_does() -> None:
    """The course's own functions on the weights as they are: float32 against float64, and no code at a tie."""
    module, x = solved("quantization"), torch.tensor([DATA["weights"]])
    states = [state for state in STATES if state["outlier"] is None]
    for state, got in zip(
        states, call_figure("quantization-grid", "compute", [(DATA, s) for s in states]), strict=True
    ):
        scheme, bits, group = state["scheme"], state["bits"], state["group"]
        if scheme == "nf4":
            codes = module.table_codes(x, torch.tensor(DATA["table"]), group)[0]
        else:
            codes = getattr(module, scheme)(x, bits, group)[0]
        ours = [code for one in got["groups"] for code in one["codes"]]
        differ = [i for i, (a, b) in enumerate(zip(codes.flatten().tolist(), ours, strict=True)) if a != b]
        for i in differ:  # only where a weight lies in the middle between two codes
            one = got["groups"][i // group]
            assert abs(abs(DATA["weights"][i] / one["scale"]) % 1 - 0.5) < 1e-4, (state, i)
        assert len(differ) <= 2


def test_the_chapter_says_what_the_figure_shows() -> None:
    """What sec-symmetric says of the outlier at 1.5, in one group and in groups of 8."""
    states = [
        {"scheme": "symmetric", "bits": bits, "group": group, "outlier": 1.5}
        for bits, group in ((4, 64), (4, 8), (8, 64))
    ]
    one, small, wide = call_figure("quantization-grid", "compute", [(DATA, state) for state in states])
    assert max(map(abs, DATA["weights"])) < 0.26
    assert [code + one["least"] for code, count in enumerate(one["used"]) if count] == [-1, 0, 1, 7] and one[
        "used"
    ][-1] == 1
    assert one["groups"][0]["scale"] == pytest.approx(0.21, abs=0.005)
    assert one["error"] < one["others"] / 4
    assert small["others"] < one["others"] / 10 and 1 < small["bits"] - one["bits"] < 2
    assert wide["others"] < one["others"] / 100 and wide["bits"] / one["bits"] == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [
        ("part > 0.5 || (part === 0.5 && below % 2 !== 0)", "part >= 0.5", "ties go up"),
        ("most = 2 ** (bits - 1) - 1", "most = 2 ** (bits - 1)", "one code too many"),
        ("low = Math.min(0, ...x)", "low = Math.min(...x)", "the grid need not have 0 on it"),
        ("zero = even(-low / scale)", "zero = -low / scale", "the zero point is no integer"),
        ("clamp(even(v / scale) + zero, 0, most)", "even(v / scale) + zero", "codes are not cut"),
        ("size = Math.max(...x.map(Math.abs))", "size = Math.max(...x)", "absmax forgets the sign"),
        (
            "< Math.abs(v / scale - table[best])",
            "<= Math.abs(v / scale - table[best] - 0.01)",
            "not the nearest value of the table",
        ),
        ("keep(i) ? v * v : 0", "keep(i) ? Math.abs(v) : 0", "the error is no share of the squares"),
        ("(16 + (scheme", "(32 + (scheme", "a scale has 16 bits"),
        ("? (back[i] - v) ** 2 : 0", "? Math.abs(back[i] - v) : 0", "the error is not squared"),
    ],
)
def test_the_comparison_notices_a_wrong_figure(tmp_path: Path, right: str, wrong: str, why: str) -> None:
    assert mistakes(planted(tmp_path, "quantization-grid", right, wrong), CASES[::7]), why
