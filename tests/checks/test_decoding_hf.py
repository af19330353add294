"""The oracles of the decoding checks, and the solution, against Hugging Face's logits processors.

Rows are float64 and keep away from every threshold, where the order of a sum would decide.
"""

import types

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from transformers.generation.logits_process import (
    LogitsProcessorList, MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper,
)

from llmlab.checks.decoding import rows, shaping, thresholds, truncation
from llmlab.grading import variants

COUNT, VOCAB = 500, 24


@pytest.fixture(scope="module")
def solution():
    module = types.ModuleType("decoding")
    exec(compile(variants.solution("decoding"), "solutions/decoding.py", "exec"), module.__dict__)
    return module


def draw(seed: int, fits=lambda row: True, scale: float = 2.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return rows.draw(generator, (COUNT, VOCAB), fits, torch.float64, scale)


def warped(warper, logits: torch.Tensor) -> torch.Tensor:
    """What a Hugging Face processor makes of logits (B, V); the ids play no part in these."""
    return warper(torch.zeros(len(logits), 1, dtype=torch.long), logits.clone())


def agree(theirs: torch.Tensor, oracle: torch.Tensor, ours: torch.Tensor) -> None:
    assert torch.equal(oracle, theirs), "the oracle of the check differs from Hugging Face"
    assert torch.equal(ours, theirs), "the solution differs from Hugging Face"


@pytest.mark.parametrize("temperature", [0.1, 0.7, 1.0, 1.5, 30.0])
def test_temperature(solution, temperature):
    logits = draw(1)
    theirs = warped(TemperatureLogitsWarper(temperature), logits)
    oracle = rows.each_row(logits, lambda row: shaping.tempered(row, temperature))
    agree(theirs, oracle, solution.apply_temperature(logits, temperature))


@pytest.mark.parametrize("k", [1, 2, 7, VOCAB, 3 * VOCAB])
@pytest.mark.parametrize("ties", [False, True])
def test_top_k_with_and_without_ties(solution, k, ties):
    logits = draw(2).round() if ties else draw(2)
    theirs = warped(TopKLogitsWarper(k), logits)
    agree(theirs, rows.by_rows(logits, lambda row: thresholds.largest(row, k)), solution.top_k(logits, k))


@pytest.mark.parametrize("p", [0.05, 0.4, 0.8, 0.95, 1.0])
def test_top_p(solution, p):
    logits = draw(3, lambda row: truncation.clear(row, p, 1e-9))
    theirs = warped(TopPLogitsWarper(p), logits)
    agree(theirs, rows.by_rows(logits, lambda row: truncation.everything_or(row, p)),
          solution.top_p(logits, p))


@pytest.mark.parametrize("least", [0.0, 0.02, 0.1, 0.6, 1.0])
def test_min_p(solution, least):
    logits = draw(4, lambda row: least in (0.0, 1.0) or thresholds.clear_share(row, least, 1e-9))
    theirs = warped(MinPLogitsWarper(least), logits)
    agree(theirs, rows.by_rows(logits, lambda row: thresholds.share(row, least)),
          solution.min_p(logits, least))


def kept_clear(k: int, p: float):
    def fits(row: list[float]) -> bool:
        kept = [row[i] for i in thresholds.largest(row, k)]
        return truncation.clear(kept, p, 1e-9) and truncation.clear(row, p, 1e-9)

    return fits


@pytest.mark.parametrize(("k", "p"), [(3, 0.6), (8, 0.8), (VOCAB, 0.9), (5, 1.0)])
def test_top_k_then_top_p(solution, k, p):
    logits = draw(5, kept_clear(k, p))
    theirs = warped(LogitsProcessorList([TopKLogitsWarper(k), TopPLogitsWarper(p)]), logits)
    agree(theirs, rows.by_rows(logits, lambda row: truncation.k_then_p(row, k, p)),
          solution.top_k_top_p(logits, k, p))


def test_the_two_orders_differ_and_the_wrong_rule_is_the_other_order(solution):
    """Top-k and top-p do not commute, and what the check calls "top-p-before-top-k" is that other order."""
    k, p = 8, 0.8
    logits = draw(6, kept_clear(k, p))
    theirs = warped(LogitsProcessorList([TopPLogitsWarper(p), TopKLogitsWarper(k)]), logits)
    case = truncation.k_p_case(truncation.ORDER, logits, k, p)
    wrong = {name: value for name, value, _ in case.expect.mistakes}["top-p-before-top-k"]()
    assert torch.equal(wrong, theirs)
    differ = (solution.top_k_top_p(logits, k, p) != theirs).any(-1)
    assert differ.float().mean() > 0.5
    sizes = (solution.top_k_top_p(logits, k, p) > -rows.INF).sum(-1)
    assert bool((sizes <= (theirs > -rows.INF).sum(-1)).all()), "never the larger set"


def test_temperature_before_top_p_changes_the_set_but_not_that_of_top_k(solution):
    logits = draw(7, lambda row: all(truncation.clear([x / t for x in row], 0.8, 1e-9) for t in (0.5, 1.0,
                                                                                                 2.0)))
    cold, warm, hot = (solution.top_p(logits / t, 0.8) > -rows.INF for t in (0.5, 1.0, 2.0))
    assert bool((cold <= warm).all()) and bool((warm <= hot).all()), "the nucleus grows with the temperature"
    assert float((cold != hot).any(-1).double().mean()) > 0.95
    sets = [solution.top_k(logits / t, 5) > -rows.INF for t in (0.5, 1.0, 2.0)]
    assert torch.equal(sets[0], sets[1]) and torch.equal(sets[1], sets[2])


def test_log_probs_and_greedy_against_scipy_and_numpy(solution):
    logits = draw(8, scale=40.0)
    want = scipy.special.log_softmax(logits.numpy(), axis=-1)
    np.testing.assert_allclose(rows.each_row(logits, shaping.log_softmax).numpy(), want, rtol=1e-12,
                               atol=1e-12)
    np.testing.assert_allclose(solution.log_probs(logits).numpy(), want, rtol=1e-12, atol=1e-12)
    tied = logits.round().clamp(-20, 20)
    best = np.argmax(tied.numpy(), axis=-1)
    np.testing.assert_array_equal(shaping.picks(tied, shaping.first_largest).numpy(), best)
    np.testing.assert_array_equal(solution.greedy(tied).numpy(), best)


def test_entropy_rises_with_temperature_at_the_rate_of_the_closed_form(solution):
    """dH/dT = Var(z) / T^3, the variance under p(T); entropy by scipy, the slope by a central difference."""
    def entropy(logits: torch.Tensor, temperature: float) -> np.ndarray:
        return scipy.stats.entropy(solution.apply_temperature(logits, temperature).softmax(-1).numpy(),
                                   axis=-1)

    logits, step = draw(9), 1e-5
    for temperature in (0.4, 1.0, 2.5):
        probs = solution.apply_temperature(logits, temperature).softmax(-1)
        mean = (probs * logits).sum(-1, keepdim=True)
        slope = ((probs * (logits - mean) ** 2).sum(-1) / temperature**3).numpy()
        numeric = (entropy(logits, temperature + step) - entropy(logits, temperature - step)) / (2 * step)
        np.testing.assert_allclose(numeric, slope, rtol=1e-5, atol=1e-8)
        assert (slope > 0).all()
    np.testing.assert_allclose(entropy(logits, 0.0), 0.0, atol=1e-15)
    np.testing.assert_allclose(entropy(logits, float("inf")), np.log(VOCAB), rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_function_keeps_dtype_and_input_and_makes_no_nan(solution, dtype):
    logits = (torch.randn(40, VOCAB, generator=torch.Generator().manual_seed(10)) * 8).to(dtype)
    logits[:, ::3] = -rows.INF
    before = logits.clone()
    calls = [lambda: solution.log_probs(logits), lambda: solution.top_k(logits, 4),
             lambda: solution.top_p(logits, 0.9),
             lambda: solution.top_p(logits, 1.0), lambda: solution.top_k_top_p(logits, 4, 0.9),
             lambda: solution.min_p(logits, 0.1), *(lambda t=t: solution.apply_temperature(logits, t)
                                                     for t in (0.0, 0.5, 1e-30, rows.INF))]
    for call in calls:
        out = call()
        assert out.dtype == dtype and out.shape == logits.shape and not bool(out.isnan().any())
        assert bool((out[:, ::3] == -rows.INF).all()), "a removed token stays removed"
        assert torch.equal(logits, before)
        assert out.data_ptr() != logits.data_ptr()
    assert solution.sample(logits, torch.Generator().manual_seed(0)).dtype == torch.int64
