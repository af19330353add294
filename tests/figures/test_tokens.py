"""Bars and curves over the next token: what is drawn, against numbers computed here."""

import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy

from llmlab.figures import entropy_against_temperature, next_token_bars
from llmlab.figures.labels import token_label

PIECES = [b" the", b" cat", b"\n", b"", b"\xe7", " 猫".encode(), b"$5"]
Z = [0.5, 3.0, -1.0, 2.0, 0.0, 1.0, -2.0]


def widths(axes):
    return [[bar.get_width() for bar in group] for group in axes.containers]


def test_bars_are_probabilities_in_order():
    figure = next_token_bars(torch.tensor([Z]), PIECES, top=4, title="a title")
    axes = figure.axes[0]
    p = softmax(Z)
    order = [1, 3, 5, 0]
    np.testing.assert_allclose(widths(axes), [p[order]], rtol=1e-12)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["␣cat", "‹end›", "␣U+732B", "␣the"]
    assert axes.get_xlabel() == "probability" and axes.get_title(loc="left") == "a title"
    assert f"' cat' with probability {p[1]:.2f}" in figure.alt and f"{p[order].sum():.2f}" in figure.alt


def test_before_and_after_share_one_order_and_removed_tokens_get_a_cross():
    after = [z if z >= 1.0 else -math.inf for z in Z]
    names = ("all", "three")
    axes = next_token_bars(torch.tensor(Z), PIECES, torch.tensor(after), top=7, names=names).axes[0]
    order = np.argsort(-np.array(Z))
    np.testing.assert_allclose(widths(axes)[0], softmax(Z)[order], rtol=1e-12)
    np.testing.assert_allclose(widths(axes)[1], softmax(after)[order], rtol=1e-12)
    crosses = axes.lines[0].get_ydata()
    np.testing.assert_allclose(crosses, [3.2, 4.2, 5.2, 6.2])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["probability 0", "all", "three"]


def test_the_alt_text_counts_what_is_left():
    after = [z if z >= 1.0 else -math.inf for z in Z]
    alt = next_token_bars(torch.tensor(Z), PIECES, torch.tensor(after)).alt
    assert f"goes from {softmax(Z)[1]:.2f} to {softmax(after)[1]:.2f}; 3 of 7 tokens" in alt


@pytest.mark.parametrize(("logits", "after", "words"), [
    (torch.zeros(2, 3), None, r"\(2, 3\)"),
    (torch.zeros(3), torch.zeros(4), r"\(4,\)"),
])
def test_a_wrong_shape_is_named(logits, after, words):
    with pytest.raises(ValueError, match=words):
        next_token_bars(logits, PIECES, after)


def divide(z, t):
    return torch.where(z == z.max(), 0.0, -math.inf) if t == 0 else z / t


def test_entropy_curves_against_scipy():
    rows = {"one": torch.tensor(Z), "two": torch.tensor(Z) * 3}
    ts = [0.0, 0.5, 1.0, 4.0]
    figure = entropy_against_temperature(rows, ts, divide)
    one, two, limit = figure.axes[0].lines
    for line, scale in ((one, 1), (two, 3)):
        wanted = [0.0] + [scipy_entropy(softmax(np.array(Z) * scale / t)) for t in ts[1:]]
        np.testing.assert_allclose(line.get_ydata(), wanted, atol=1e-6)
        np.testing.assert_allclose(line.get_xdata(), ts)
    assert one.get_linestyle() != two.get_linestyle() and one.get_color() != two.get_color()
    assert limit.get_ydata()[0] == pytest.approx(math.log(7)) and figure.axes[0].get_ylim()[1] > math.log(7)
    assert figure.axes[0].get_ylabel() == "entropy in nats"
    assert f"'one' from 0.00 at T=0 to {one.get_ydata()[-1]:.2f} at T=4" in figure.alt


def test_the_curves_are_those_of_the_function_given():
    figure = entropy_against_temperature({"x": torch.tensor(Z)}, [0.5, 2.0], lambda z, t: z * t)
    wrong = figure.axes[0].lines[0]
    assert wrong.get_ydata()[0] > wrong.get_ydata()[1]  # multiplied: the curve falls


@pytest.mark.parametrize(("piece", "label"), [
    (b" a", "␣a"), (b"\t", "⇥"), (b"", "‹end›"), (b"\xff", "\\xff"), ("é".encode(), "é"), (b"$x$", "\\$x\\$"),
    ("猫".encode(), "U+732B"), (b"\x00", "U+0000"),
])
def test_labels(piece, label):
    assert token_label(piece) == label
