"""The curve of tokens and speed-up in JavaScript against solutions/speculative.py, on a grid of settings."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest

from tests.book.data import read, solved
from tests.book.node import call_figure, planted

GRID = [
    {"alpha": alpha / 20, "cost": cost, "verify": verify}
    for alpha, cost, verify in itertools.product(range(21), (0, 0.05, 0.1, 0.3, 1), (0, 0.02, 0.25))
]


def mistakes(script: str | Path, grid: list[dict[str, float]]) -> list[str]:
    """Where the figure and the course's functions differ."""
    module, found = solved("speculative"), []
    for state, got in zip(grid, call_figure(script, "compute", [[state] for state in grid]), strict=True):
        alpha, cost, verify = state["alpha"], state["cost"], state["verify"]
        for gamma, point in enumerate(got["points"]):
            want = {
                "gamma": gamma,
                "tokens": module.expected_tokens(alpha, gamma),
                "speedup": module.speedup(alpha, gamma, cost, 1 + gamma * verify),
                "lecture": gamma * alpha,
            }
            if not all(math.isclose(point[key], value, rel_tol=1e-12) for key, value in want.items()):
                found.append(f"{state}: {point} is not {want}")
        if not verify and got["best"] != module.best_gamma(alpha, cost):
            speeds = [point["speedup"] for point in got["points"]]
            if alpha == 0 or not math.isclose(speeds[got["best"]], max(speeds), rel_tol=1e-12):
                found.append(f"{state}: the best gamma is not {got['best']}")
    return found


def test_javascript_agrees_with_the_course() -> None:
    assert len(GRID) >= 300
    assert not mistakes("speculative-curve", GRID)


def test_javascript_agrees_with_the_reference() -> None:
    curves = read("speculative_reference.json")["curves"]
    for want, got in zip(
        curves, call_figure("speculative-curve", "compute", [[one] for one in curves]), strict=True
    ):
        for point, other in zip(got["points"], want["points"], strict=True):
            assert point == pytest.approx(other)


def test_the_chapter_says_what_the_figure_shows() -> None:
    """The best gamma of each button; what checking at 0.25 leaves of the gain; never twice as fast at half a pass."""
    states = [(0.8, 0.02, 0), (0.8, 0.5, 0), (0.3, 0.1, 0), (0.8, 0.1, 0), (0.8, 0.1, 0.25), (1, 0.5, 0)]
    found = call_figure(
        "speculative-curve",
        "compute",
        [[dict(zip(("alpha", "cost", "verify"), one, strict=True))] for one in states],
    )
    best = [one["points"][one["best"]]["speedup"] for one in found]
    assert [one["best"] for one in found[:3]] == [11, 2, 1]
    assert best[4] - 1 < (best[3] - 1) / 3
    assert best[5] < 2 and found[5]["points"][0]["speedup"] == 1


@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [
        (
            "tokens += power;\n      power *= alpha;",
            "power *= alpha;\n      tokens += power;",
            "the replaced token is not counted",
        ),
        ("gamma * cost + 1", "cost + 1", "one pass of the draft is counted"),
        ("1 + gamma * verify", "1", "checking is free"),
        ("points[gamma].speedup > ", "points[gamma].speedup >= ", "the largest of equals is the best"),
        ("lecture: gamma * alpha", "lecture: 1 + gamma * alpha", "the lecture's line begins at 1"),
    ],
)
def test_the_comparison_notices_a_wrong_figure(tmp_path: Path, right: str, wrong: str, why: str) -> None:
    assert mistakes(planted(tmp_path, "speculative-curve", right, wrong), GRID[::4]), why
