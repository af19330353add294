"""A histogram of numbers with the grid that they were put on, from your own codes and scales."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from llmlab.figures.style import INK, QUIET, Drawing, colour, styled

MOST_LEVELS = 64


@styled
def weights_on_grids(x: Tensor, back: Mapping[str, Tensor], bins: int = 60) -> Drawing:
    """One panel for each way: how often numbers of each size occur, and as lines the values that are left of them.

    x: numbers, any shape; back: title -> the same numbers after quantizing and dequantizing. The lines are the values
    that occur in it: with one scale they are the grid, with a scale for each group the grids of all groups together,
    which are drawn faintly when there are more than 64. The title tells the relative squared error, mean((back - x)^2) /
    mean(x^2).
    Raises ValueError, naming the shape, if one does not fit.
    """
    flat = x.detach().reshape(-1).float()
    for name, one in back.items():
        if one.shape != x.shape:
            raise ValueError(f"{name} has shape {tuple(one.shape)}, but the numbers have {tuple(x.shape)}")
    if not back or not flat.numel():
        raise ValueError("give some numbers, and at least one way to quantize them")
    figure = plt.figure(figsize=(7.0, 0.6 + 1.45 * len(back)), FigureClass=Drawing)
    reach = float(flat.abs().max()) * 1.06 or 1.0
    edges = torch.linspace(-reach, reach, bins + 1)
    counts = torch.histogram(flat, edges).hist
    told, first = [], None
    for place, (name, one) in enumerate(back.items(), start=1):
        axes = figure.add_subplot(len(back), 1, place, sharex=first)
        first = first or axes
        levels = one.detach().reshape(-1).float().unique()
        error = float((one.reshape(-1).float() - flat).square().mean() / flat.square().mean().clamp(min=1e-30))
        few = len(levels) <= MOST_LEVELS
        for level in levels[:: max(1, len(levels) // 400)].tolist():
            axes.axvline(level, color=colour(1), linewidth=1.1 if few else 0.6, alpha=0.9 if few else 0.5, zorder=1)
        axes.stairs(counts.tolist(), edges.tolist(), fill=True, color=colour(0), alpha=0.55, zorder=2)
        axes.stairs(counts.tolist(), edges.tolist(), color=INK, linewidth=0.6, zorder=3)
        axes.set_title(f"{name}: {len(levels)} values, relative error {error:.2g}")
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)
        axes.tick_params(labelbottom=place == len(back), color=QUIET)
        told.append(f"{name}: {len(levels)} values are used, and the relative squared error is {error:.2g}")
    axes.set_xlabel("size of a number (bars: how many; lines: values left after quantizing)")
    axes.set_xlim(-reach, reach)
    figure.alt = (f"Histogram of {flat.numel():,} numbers from {float(flat.min()):.3g} to {float(flat.max()):.3g} "
                  f"over "
                  f"{len(back)} grids. {'; '.join(told)}.")
    return figure
