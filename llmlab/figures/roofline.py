"""Plots of cost: points under a roofline, throughput against latency, a layer's FLOPs against the length of a text.

All numbers come from your own functions in `llmlab.flops` (or from those you give).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmlab.figures.style import INK, LINES, MARKERS, QUIET, Drawing, canvas, colour, styled


@styled
def roofline_plot(accelerator: Mapping[str, float], work: Mapping[str, Sequence[tuple[float, float]]], name: str = "",
                  roofline: Callable[..., Mapping[str, Any]] | None = None) -> Drawing:
    """Both axes logarithmic: the roof of an accelerator, and series of points on it, as far as they can get.

    accelerator: {"flops": FLOP/s, "bandwidth": bytes/s}; work: series -> (FLOPs, bytes moved) of each point, drawn
    where your `roofline` puts it; name: of the accelerator, for the title. What a device really reached is drawn by
    `measured_roofline`.
    """
    if roofline is None:
        from llmlab.flops import roofline
    peak, bandwidth = accelerator["flops"], accelerator["bandwidth"]
    ridge = peak / bandwidth
    placed = {}
    for series, points in work.items():
        found = [roofline(accelerator, flops, moved) for flops, moved in points]
        placed[series] = [(one["intensity"], one["flops_per_second"]) for one in found]
    drawn = [x for points in placed.values() for x, _ in points]
    if not drawn:
        raise ValueError("there is no point to draw: `work` is empty")
    left, right = min([*drawn, ridge]) / 3, max([*drawn, ridge]) * 3
    figure, axes = canvas(7.0, 4.2)
    axes.plot([left, ridge, right], [left * bandwidth, peak, peak], color=INK, linewidth=2.2, label="_roof")
    axes.axvline(ridge, color=QUIET, linewidth=1, linestyle=":")
    axes.annotate(f"ridge: {ridge:.0f} FLOPs per byte", (ridge, peak), xytext=(0, 6), textcoords="offset points",
                  ha="center", va="bottom", fontsize=9)
    for i, (series, points) in enumerate(placed.items()):
        axes.plot(*zip(*points, strict=True), linestyle="", marker=MARKERS[i % len(MARKERS)], color=colour(i),
                  markersize=7, label=series)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(left, right)
    axes.set_ylim(top=peak * 3)
    axes.set_xlabel("arithmetic intensity: FLOPs per byte")
    axes.set_ylabel("FLOP/s")
    axes.set_title(f"Roofline of {name}" if name else "Roofline")
    axes.legend(loc="lower right", fontsize=9)
    said = []
    for series, points in placed.items():
        low, high = min(points), max(points)
        below = sum(x < ridge for x, _ in points)
        said.append(f"{series}: {len(points)} points, intensity {low[0]:.3g} to {high[0]:.3g}, {below} left of the "
                    "ridge")
    figure.alt = (f"Roofline{f' of {name}' if name else ''}: peak {peak / 1e12:.3g} TFLOP/s, ridge at {ridge:.0f} "
                  "FLOPs per "
                  f"byte. {'; '.join(said)}.")
    return figure


@styled
def throughput_against_latency(models: Mapping[str, Mapping[str, Any]], accelerator: Mapping[str, float], context: int,
                               batches: Sequence[int], decode_step: Callable[..., Mapping[str, float]] | None = None,
                               largest_batch: Callable[..., int] | None = None) -> Drawing:
    """One curve for each model: milliseconds for a decode step against tokens per second, a point for each batch size.

    A hollow point does not fit into the memory. batches: increasing batch sizes, written beside the points.
    """
    if decode_step is None:
        from llmlab.flops import decode_step
    if largest_batch is None:
        from llmlab.flops import largest_batch
    figure, axes = canvas(7.0, 4.2)
    said = []
    for i, (name, model) in enumerate(models.items()):
        steps = [decode_step(model, accelerator, batch, context) for batch in batches]
        x, y = [step["seconds"] * 1e3 for step in steps], [step["tokens_per_second"] for step in steps]
        fits = largest_batch(model, accelerator, context)
        axes.plot(x, y, color=colour(i), linestyle=LINES[i % len(LINES)], linewidth=1.3, label="_line")
        for inside in (True, False):
            chosen = [k for k, batch in enumerate(batches) if (batch <= fits) is inside]
            axes.plot([x[k] for k in chosen], [y[k] for k in chosen], linestyle="", marker=MARKERS[i % len(MARKERS)],
                      color=colour(i), markerfacecolor=colour(i) if inside else "none",
                      label=name if inside else "_outside")
        for k, batch in enumerate(batches):
            axes.annotate(str(batch), (x[k], y[k]), xytext=(5, -4), textcoords="offset points", va="top", fontsize=8)
        said.append(f"{name}: from {x[0]:.1f} ms and {y[0]:,.0f} tokens per second at batch {batches[0]} to "
                    f"{x[-1]:.1f} ms and "
                    f"{y[-1]:,.0f} at batch {batches[-1]}; up to {fits} sequences fit")
    axes.set_xlabel("milliseconds for one step (what a user waits for each token)")
    axes.set_ylabel("tokens per second, all users")
    axes.margins(x=0.08, y=0.06)
    axes.set_xlim(left=0)
    axes.set_title("Numbers: batch size. Hollow: does not fit into memory.")
    axes.legend(loc="lower right", fontsize=9)
    figure.alt = f"Throughput against latency of a decode step, {context} tokens of context. {'. '.join(said)}."
    return figure


@styled
def layer_cost_against_length(model: Mapping[str, Any], lengths: Sequence[int],
                              attention_flops: Callable[..., Mapping[str, int]] | None = None,
                              mlp_flops: Callable[..., int] | None = None) -> Drawing:
    """Stacked areas: what share of a layer's prefill goes into projections, MLP, and scores and values, by length."""
    if attention_flops is None:
        from llmlab.flops import attention_flops
    if mlp_flops is None:
        from llmlab.flops import mlp_flops
    parts: dict[str, list[float]] = {"MLP": [], "projections": [], "scores and values": []}
    for length in lengths:
        steps = attention_flops(model, 1, length, length)
        cost = {"MLP": mlp_flops(model, length), "projections": sum(steps[key] for key in ("q", "k", "v", "output")),
                "scores and values": steps["scores"] + steps["values"]}
        for name, value in cost.items():
            parts[name].append(value / sum(cost.values()))
    figure, axes = canvas(7.0, 3.8)
    areas = axes.stackplot(list(lengths), *parts.values(), labels=list(parts), colors=[colour(i) for i in range(3)],
                           alpha=0.85)
    for area, hatch in zip(areas, ("", "//", ".."), strict=True):
        area.set_hatch(hatch)
        area.set_edgecolor("white")
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(lengths), [f"{length:,}" for length in lengths], rotation=30)
    axes.set_xlim(lengths[0], lengths[-1])
    axes.set_ylim(0, 1)
    axes.set_xlabel("tokens in the text")
    axes.set_ylabel("share of a layer's FLOPs")
    figure.legend(loc="outside upper center", ncols=3, fontsize=9)
    square = parts["scores and values"]
    half = next((length for length, share in zip(lengths, square, strict=True) if share >= 0.5), None)
    figure.alt = ("Shares of a layer's FLOPs against the length of the text. Scores and values take "
                  f"{square[0]:.1%} at "
                  f"{lengths[0]:,} tokens and {square[-1]:.0%} at {lengths[-1]:,}; "
                  + (f"they reach half at {half:,}." if half else "they never reach half here."))
    return figure
