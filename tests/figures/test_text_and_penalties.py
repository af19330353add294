"""Plots along a text, across strategies and of penalties: what is drawn, against numbers computed here."""

import collections
import math

import numpy as np
import pytest
import torch

from llmlab.figures import (
    nucleus_along_text,
    penalty_effect,
    repeated_ngrams,
    repetition_by_strategy,
    score_against_alpha,
)


def test_nucleus_bars_stand_on_a_logarithmic_axis():
    figure = nucleus_along_text([b"a", b" b", b"c", b"."], [3, 200, 1, 1], p=0.9)
    axes = figure.axes[0]
    assert [bar.get_height() for bar in axes.patches] == [3, 200, 1, 1]
    assert axes.get_yscale() == "log" and axes.get_ylim()[0] < 1 and "p = 0.9" in axes.get_ylabel()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "␣b", "c", "."]
    for words in ("median 2", "one token at 2 places", "200, before ' b'"):
        assert words in figure.alt


def test_sizes_and_pieces_must_match():
    with pytest.raises(ValueError, match="2 pieces and 1 sizes"):
        nucleus_along_text([b"a", b"b"], [1])


def repeats_by_counting(ids, n):
    """All but the first of every kind of n-gram, over all n-grams."""
    counts = collections.Counter(zip(*(ids[i:] for i in range(n)), strict=False))
    return sum(c - 1 for c in counts.values()) / sum(counts.values())


def test_repeated_ngrams_against_counting():
    rng = np.random.default_rng(0)
    for n in (1, 2, 4):
        ids = rng.integers(0, 4, 60).tolist()
        assert repeated_ngrams(ids, n) == pytest.approx(repeats_by_counting(ids, n))
    assert repeated_ngrams([1, 2], 4) == 0.0
    with pytest.raises(ValueError, match="n is 0"):
        repeated_ngrams([1], 0)


def test_bars_are_means_over_texts_and_dots_the_texts():
    texts = {"loop": [[1, 2] * 10, [1, 2, 3] * 5], "fresh": [list(range(20))]}
    figure = repetition_by_strategy(texts, n=2)
    axes = figure.axes[0]
    shares = [[repeats_by_counting(ids, 2) for ids in group] for group in texts.values()]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([sum(s) / len(s) for s in shares])
    assert axes.lines[0].get_xdata() == pytest.approx(shares[0]) and len(axes.lines) == 1
    assert [label.get_text() for label in axes.get_yticklabels()] == ["loop", "fresh"]
    assert "2-grams" in axes.get_xlabel() and "fresh 0%" in figure.alt
    with pytest.raises(ValueError, match="'none': 0"):
        repetition_by_strategy({"none": []})


def test_penalty_dots_and_crosses():
    z = torch.tensor([2.0, -1.0, 0.5])
    after = {"half": z / 2, "ban": torch.tensor([2.0, -math.inf, 0.5])}
    figure = penalty_effect(z, after, [1, 0], [b"a", b" b", b"c"], counts=[3, 0])
    axes = figure.axes[0]
    dots = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(dots["no penalty"].get_xdata()) == [-1.0, 2.0]
    assert list(dots["half"].get_xdata()) == [-0.5, 1.0]
    assert len({line.get_marker() for line in dots.values()}) == 3
    cross = [line for line in axes.lines if line.get_label() == "_banned" and len(line.get_xdata())]
    assert len(cross) == 1 and cross[0].get_xdata()[0] < -1.0  # left of everything that is drawn
    assert round(cross[0].get_ydata()[0]) == 0  # in the row of token 1
    assert [label.get_text() for label in axes.get_yticklabels()] == ["␣b  ×3", "a  ×0"]
    assert "banned" in axes.get_xlabel() and "-1.00 without a penalty; half -0.50, ban bans it" in figure.alt


@pytest.mark.parametrize(("after", "counts", "words"), [
    ({"x": torch.zeros(2)}, None, "'x'"), ({}, [1, 2, 3], "3 counts"),
])
def test_penalty_inputs_must_fit(after, counts, words):
    with pytest.raises(ValueError, match=words):
        penalty_effect(torch.zeros(3), after, [0, 1], [b"a", b"b", b"c"], counts)


def test_scores_and_the_exponent_at_which_the_ranking_flips():
    hypotheses = {"A": (-4.0, 4), "B": (-7.0, 9)}
    alphas = np.linspace(0, 1, 1001).tolist()
    figure = score_against_alpha(hypotheses, alphas, lambda total, n, a, form: total / n**a)
    for line, (total, n) in zip(figure.axes[0].lines, hypotheses.values(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), total / n ** np.array(alphas))
    assert f"B from α = {math.log(7 / 4) / math.log(9 / 4):.2f} on" in figure.alt  # closed form of the flip
    assert "and stays so" in score_against_alpha(hypotheses, [0.0, 0.1], lambda t, n, a, form: t / n**a).alt
