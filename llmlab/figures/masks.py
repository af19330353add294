"""Plot of attention masks: which columns each new token sees."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle
from torch import Tensor

from llmlab.figures.style import INK, QUIET, Drawing, colour, styled


@styled
def seen_columns(masks: Mapping[str, Tensor], real: Tensor | None = None) -> Drawing:
    """Squares: one row for each new token, one column for each token so far. Filled where the token may look.

    masks: title -> mask (T, S) or (1, T, S), True or 1 where a column is seen; real: (S,), 0 for padding, whose
    columns are crossed out. The new tokens are the last columns; a ring marks each one's own.
    """
    drawn = {name: mask.reshape(mask.shape[-2:]).bool() for name, mask in masks.items()}
    if not drawn or len({tuple(mask.shape) for mask in drawn.values()}) > 1:
        sizes = [tuple(mask.shape) for mask in drawn.values()]
        raise ValueError(f"give one mask or several of the same shape, got {sizes}")
    new, columns = next(iter(drawn.values())).shape
    pads = [] if real is None else [c for c, one in enumerate(real.reshape(-1).tolist()) if not one]
    width = 0.3 + len(drawn) * max(2.2, 0.34 * columns + 0.5)
    figure = plt.figure(figsize=(width, 0.34 * new + 1.3), FigureClass=Drawing)
    for place, (name, mask) in enumerate(drawn.items(), start=1):
        axes = figure.add_subplot(1, len(drawn), place)
        for row in range(new):
            for column in range(columns):
                seen = bool(mask[row, column])
                square = Rectangle((column + 0.06, row + 0.06), 0.88, 0.88, linewidth=1, edgecolor=QUIET,
                                   facecolor=colour(0) if seen else "none")
                axes.add_patch(square)
                if column in pads:
                    axes.plot([column + 0.2, column + 0.8], [row + 0.2, row + 0.8], color=QUIET, linewidth=1)
            own = columns - new + row
            axes.plot([own + 0.5], [row + 0.5], "o", markersize=7, markeredgewidth=1.6, fillstyle="none",
                      color="#ffffff" if bool(mask[row, own]) else INK)
        axes.set(xlim=(0, columns), ylim=(new, 0), aspect="equal", title=name, xlabel="column")
        axes.set_xticks([c + 0.5 for c in range(columns)], [str(c) for c in range(columns)], fontsize=8)
        axes.set_yticks([r + 0.5 for r in range(new)], [f"new {r + 1}" for r in range(new)], fontsize=8)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
    last = {name: [c for c in range(columns) if bool(mask[-1, c])] for name, mask in drawn.items()}
    told = "; ".join(f"{name}: the newest of {new} tokens sees {_listed(seen)}" for name, seen in last.items())
    figure.alt = f"Attention masks over {columns} columns. {told}."
    return figure


def _listed(columns: list[int]) -> str:
    """
    >>> _listed([2, 3, 4]), _listed([0, 2]), _listed([])
    ('columns 2 to 4', 'columns 0, 2', 'nothing')
    """
    if not columns:
        return "nothing"
    if len(columns) > 1 and columns == list(range(columns[0], columns[-1] + 1)):
        return f"columns {columns[0]} to {columns[-1]}"
    return f"column{'s' if len(columns) > 1 else ''} {', '.join(map(str, columns))}"
