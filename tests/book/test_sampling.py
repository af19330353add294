"""The playground's arithmetic in JavaScript against numpy, on hundreds of settings, and its data."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from tests.book.node import call_figure, planted

GRID = list(
    itertools.product(
        [0, 0.1, 0.5, 1, 1.7, 2], [1, 3, 7, 16, 48], [0.05, 0.5, 0.9, 1], [0, 0.05, 0.2, 0.5], [1, 1.3, 2]
    )
)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return e / e.sum()


def reference(
    logits: np.ndarray, seen: np.ndarray, T: float, k: int, p: float, m: float, r: float
) -> np.ndarray:
    """Step by step as Hugging Face does it: each warper sees the renormalised rest."""
    x = np.where(seen, np.where(logits > 0, logits / r, logits * r), logits)
    if T == 0:
        return np.eye(len(x))[x.argmax()]
    x = x / T
    x = np.where(x >= np.sort(x)[-k], x, -np.inf)
    q = softmax(x)
    order = np.argsort(-q, kind="stable")
    below = np.cumsum(q[order]) - q[order]  # mass of the more probable tokens
    if p < 1:
        x[order[below >= p]] = -np.inf
    q = softmax(x)
    return softmax(np.where(q >= m * q.max(), x, -np.inf))


def test_javascript_agrees_with_numpy() -> None:
    rng = np.random.default_rng(5)
    logits, seen = rng.normal(0, 3, 48), rng.random(48) < 0.25
    logits[7] = logits[11] = np.sort(logits)[-3]  # a tie at k = 3
    data = {"logits": logits.tolist(), "seen": seen.astype(int).tolist()}
    found = call_figure("sampling", "compute", [[data, dict(zip("Tkpmr", setting, strict=True))] for setting in GRID])
    assert len(found) == len(GRID) >= 500
    supports = set()
    for setting, got in zip(GRID, found, strict=True):
        expected = reference(logits, seen, *setting)
        np.testing.assert_allclose(got["q"], expected, atol=1e-12, err_msg=str(setting))
        positive = expected[expected > 0]
        assert got["entropy"] == pytest.approx(-(positive * np.log(positive)).sum(), abs=1e-9), setting
        assert [bool(why) for why in got["why"]] == (expected == 0).tolist(), setting
        supports.add(int((expected > 0).sum()))
    assert {1, 48} < supports  # the settings reach from one token to all


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("x / r : x * r", "the penalty multiplies positive logits"),
        ("before / sumK >= p", "the crossing token is dropped"),
    ],
)
def test_the_comparison_notices_a_wrong_figure(tmp_path: Path, change: str, why: str) -> None:
    """The negative control of the test above: a figure with one known mistake must differ somewhere."""
    wrong = {"x / r : x * r": "x * r : x / r", "before / sumK >= p": "(before + e[i]) / sumK > p"}[change]
    logits, seen = np.array([2.0, 1.0, -1.0, -3.0]), np.array([1, 0, 1, 0])
    data = {"logits": logits.tolist(), "seen": seen.tolist()}
    setting = {"T": 1, "k": 4, "p": 0.8, "m": 0, "r": 1.5}
    (got,) = call_figure(planted(tmp_path, "sampling", change, wrong), "compute", [[data, setting]])
    difference = np.abs(
        np.nan_to_num(np.array(got["q"], float)) - reference(logits, seen.astype(bool), 1, 4, 0.8, 0, 1.5)
    ).max()
    assert difference > 0.01, why
