"""Numbers of speculative_claims.json, computed again by other means."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
VALUES = json.loads((ROOT / "results" / "speculative_claims.json").read_text(encoding="utf-8"))["values"]
P, Q = (0.4, 0.3, 0.2, 0.1), (0.2, 0.5, 0.1, 0.2)


def simulated(rule: str, draws: int = 400_000) -> float:
    """Total variation of the toy under a rule, from draws: the rule carried out, not its law."""
    p, q = torch.tensor(P, dtype=torch.float64), torch.tensor(Q, dtype=torch.float64)
    dice = torch.Generator().manual_seed(0)
    y, x = (torch.multinomial(law, draws, True, generator=dice) for law in (q, p))
    over = (p - q).clamp(min=0)
    instead = torch.multinomial(over, draws, True, generator=dice)
    u = torch.rand(draws, generator=dice, dtype=torch.float64)
    keep = {
        "right": u * q[y] < p[y],
        "drawn": x == y,
        "top": y == 0,
        "greedy": torch.zeros(draws, dtype=torch.bool),
    }[rule]
    counts = torch.bincount(torch.where(keep, y, instead), minlength=4) / draws
    return float((counts - p).abs().sum() / 2)


@pytest.mark.parametrize("rule", ["right", "drawn", "top", "greedy"])
def test_the_distance_of_each_rule_is_what_draws_show(rule):
    """The toy's target prefers token 0 and its draft token 1, so two argmaxes never agree."""
    assert simulated(rule) == pytest.approx(VALUES[f"toy_tv_{rule}"], abs=4e-3)


def test_rates_and_formulas():
    assert VALUES["toy_alpha"] == pytest.approx(1 - sum(abs(a - b) for a, b in zip(P, Q, strict=True)) / 2)
    assert VALUES["toy_alpha_greedy_draft"] == P[1]
    assert VALUES["toy_equal"] == pytest.approx(math.fsum(a * b for a, b in zip(P, Q, strict=True)))
    alpha, cost = VALUES["alpha"], VALUES["cost"]
    for gamma in (4, 16):
        tokens = (1 - alpha ** (gamma + 1)) / (1 - alpha)
        assert VALUES[f"tokens_{gamma}"] == pytest.approx(tokens)
        assert VALUES[f"speedup_{gamma}"] == pytest.approx(tokens / (gamma * cost + 1))
        assert VALUES[f"lecture_{gamma}"] == pytest.approx(gamma * alpha)
    speeds = [(1 - alpha ** (g + 1)) / (1 - alpha) / (g * cost + 1) for g in range(17)]
    assert VALUES["best_gamma"] == speeds.index(max(speeds)) and VALUES["speedup_best"] == pytest.approx(
        max(speeds)
    )


def test_a_large_batch_of_short_texts_makes_it_a_loss_and_long_texts_do_not():
    """By the roofline: 256 x 5 tokens are bound by arithmetic, unless there are long caches to read."""
    assert VALUES["verify_128_1"] == VALUES["verify_128_16"] == VALUES["verify_2048_512"] == 1
    assert VALUES["verify_128_512"] == 5
    assert VALUES["speedup_128_1"] > 2 > 1 > VALUES["speedup_128_256"] > VALUES["speedup_128_512"]
    assert VALUES["speedup_2048_512"] > 1.5
