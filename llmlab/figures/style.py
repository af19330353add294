"""The look of every plot: one size of type, one palette, and an alt text computed from what was drawn.

Colours are those of Okabe and Ito that reach a contrast of 3 to 1 on the background; they can be told apart
with any kind of colour vision. A second sign (line style, marker, hatching) says the same as the colour. The
background is a plain white card: on a dark page it stays readable, whatever the page's colours are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")
"""Blue, vermilion, green, purple, black, in the order in which they are used."""

INK = "#222222"
QUIET = "#767676"
CARD = "#ffffff"
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v")

RC: dict[str, Any] = {
    "figure.facecolor": CARD, "figure.dpi": 120, "savefig.facecolor": CARD,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans", "font.size": 10.5,
    "axes.facecolor": CARD, "axes.edgecolor": QUIET, "axes.labelcolor": INK, "text.color": INK,
    "axes.titlesize": 11, "axes.titlelocation": "left",
    "axes.grid": True, "axes.axisbelow": True, "grid.color": "#dddddd", "grid.linewidth": 0.7,
    "axes.spines.top": False, "axes.spines.right": False,
    "xtick.color": INK, "ytick.color": INK, "lines.linewidth": 1.8, "legend.frameon": False,
    "hatch.linewidth": 0.8,
}


class Drawing(Figure):
    """A matplotlib figure that says in words what it shows: `alt`, computed from the drawn data.

    In a notebook the text travels with the picture, so pages made from the notebook have it too.
    """

    alt: str = ""

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        """No picture of its own (matplotlib's display adds that), only the alt text that goes with it."""
        return {}, {"image/png": {"alt": self.alt}} if self.alt else {}


def styled(draw: Callable[..., Drawing]) -> Callable[..., Drawing]:
    """Run a drawing function under this file's settings, without changing them for other plots.

    Not `plt.rc_context`: that also takes back what a notebook's backend sets up at the first plot, and no
    later plot would be shown.
    """

    @functools.wraps(draw)
    def inner(*args, **kwargs) -> Drawing:
        before = {key: plt.rcParams[key] for key in RC}
        plt.rcParams.update(RC)
        try:
            return draw(*args, **kwargs)
        finally:
            plt.rcParams.update(before)

    return inner


def canvas(width: float = 7.0, height: float = 3.9) -> tuple[Drawing, Any]:
    """A new figure of this size in inches with one pair of axes; pyplot knows it, so a notebook shows it."""
    figure = plt.figure(figsize=(width, height), FigureClass=Drawing)
    return figure, figure.add_subplot()


def colour(index: int) -> str:
    """The palette's colour for the series `index`, starting again after the last."""
    return PALETTE[index % len(PALETTE)]
