"""Plots of measured times: points on a roofline, many samples of one work, and a queue with its host.

They draw what they are given; the measuring is the business of a timer and a device.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Protocol

from llmlab.figures.style import INK, LINES, MARKERS, QUIET, Drawing, canvas, colour, styled

Point = tuple[float, float]
SCALE = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


class Span(Protocol):
    """Something that took time on a lane; `llmlab.devices.Span` is one."""

    lane: str
    what: str
    start: float
    end: float


def short(value: float) -> str:
    """A number with the prefix of its size.

    >>> short(9.89e14), short(2048.0), short(0.5)
    ('989 T', '2.05 k', '0.5 ')
    """
    size, letter = next(((size, letter) for size, letter in SCALE if abs(value) >= size), SCALE[-1])
    return f"{value / size:.3g} {letter}"


@styled
def measured_roofline(points: Mapping[str, Sequence[Point]], *, peak_flop_per_s: float, peak_byte_per_s: float,
                      device: str) -> Drawing:
    """Measurements under the roof of a device, both axes logarithmic. Each series is a line with markers.

    points: name of a kind of work -> (intensity, FLOP/s) of each measurement; device: its name, for the title.
    Raises ValueError if there is no point, or one that is not above 0.
    """
    if not any(points.values()) or any(min(point) <= 0 for series in points.values() for point in series):
        raise ValueError("give at least one point (intensity, FLOP/s), all above 0")
    figure, axes = canvas(7.2, 4.4)
    ridge = peak_flop_per_s / peak_byte_per_s
    every = [intensity for series in points.values() for intensity, _ in series] + [ridge]
    low, high = min(every) / 2, max(every) * 3
    roof = [(x, min(peak_flop_per_s, x * peak_byte_per_s)) for x in (low, ridge, high)]
    axes.plot(*zip(*roof, strict=True), color=INK, linewidth=1.4, gid="roof")
    axes.axvline(ridge, color=QUIET, linewidth=0.8, linestyle=":")
    axes.text(ridge, roof[1][1] * 1.15, f"ridge: {ridge:.3g} FLOP per byte", ha="center", va="bottom", fontsize=9)
    told = []
    for i, (name, series) in enumerate(points.items()):
        if not series:
            continue
        axes.plot(*zip(*sorted(series), strict=True), marker=MARKERS[i % len(MARKERS)], color=colour(i), label=name,
                  linestyle=LINES[i % len(LINES)], linewidth=1.0, markersize=5.5, gid="points")
        shares = [rate / min(peak_flop_per_s, x * peak_byte_per_s) for x, rate in series]
        places = [x for x, _ in series]
        told.append(f"{name} at {min(places):.3g} to {max(places):.3g} FLOP per byte reach {min(shares):.0%} to "
                    f"{max(shares):.0%} of the roof")
    axes.set(xscale="log", yscale="log", xlabel="arithmetic intensity (FLOP per byte)", ylabel="FLOP/s", title=device)
    axes.set_ylim(top=peak_flop_per_s * 4)
    axes.yaxis.set_major_formatter(lambda value, _: short(value))
    axes.legend(loc="lower right", fontsize=9)
    figure.alt = (f"Measured roofline of {device}: the roof rises with {short(peak_byte_per_s)}B/s up to "
                  f"{short(peak_flop_per_s)}FLOP/s at {ridge:.3g} FLOP per byte. {'; '.join(told)}.")
    return figure


@styled
def sample_strips(samples: Mapping[str, Sequence[float]], *, unit: str = "ms") -> Drawing:
    """One row of dots for each way to measure: every sample, with the median, the mean, and a bar from p10 to p90.

    samples: name -> times. The axis is logarithmic, so that stragglers and compilations fit in.
    """
    if not samples or any(not series or min(series) <= 0 for series in samples.values()):
        raise ValueError("give every row at least one time, all above 0")
    figure, axes = canvas(7.2, 1.1 + 0.55 * len(samples))
    told = []
    for row, (name, series) in enumerate(samples.items()):
        ordered = sorted(series)
        median, mean = statistics.median(ordered), statistics.fmean(ordered)
        low, high = (ordered[round((len(ordered) - 1) * q)] for q in (0.1, 0.9))
        axes.plot([low, high], [row, row], color=colour(0), linewidth=7, alpha=0.25, solid_capstyle="butt", gid="bar")
        axes.plot(ordered, [row] * len(ordered), "|", color=colour(0), markersize=11, gid="samples")
        axes.plot([median], [row], "o", color=colour(1), markersize=7,
                  label="median" if not row else None, gid="median")
        axes.plot([mean], [row], "x", color=INK, markersize=8, markeredgewidth=1.8,
                  label="mean" if not row else None, gid="mean")
        told.append(f"{name}: median {median:.3g}, mean {mean:.3g}, from {ordered[0]:.3g} to {ordered[-1]:.3g}")
    axes.set_yticks(range(len(samples)), list(samples))
    axes.set(xscale="log", xlabel=f"time ({unit})", ylim=(len(samples) - 0.5, -0.5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: f"{value:.2g}" if math.log10(value) % 1 < 0.75 else "")
    axes.tick_params(axis="x", which="both", labelsize=8)
    axes.grid(visible=False, axis="y")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0 + 0.5 / len(samples)), ncols=2, fontsize=9)
    figure.alt = f"Times in {unit}, every sample a stroke. {'; '.join(told)}."
    return figure


@styled
def queue_timeline(spans: Sequence[Span], *, title: str = "") -> Drawing:
    """What host and device did, one lane each, from left to right in microseconds from the first span.

    spans: for example the end of a simulated device's `trace`. Short ones are drawn without their name.
    """
    if not spans:
        raise ValueError("there are no spans to draw")
    figure, axes = canvas(8.0, 2.3)
    begin, end = min(span.start for span in spans), max(span.end for span in spans)
    kinds: dict[str, int] = {}
    for span in spans:
        kind = span.what.split()[0] if span.lane == "host" else span.what
        shade = kinds.setdefault(kind, len(kinds))
        row, width = (0 if span.lane == "host" else 1), span.end - span.start
        fill = "#dddddd" if kind == "wait" else colour(shade)
        axes.barh([row], [width], left=span.start - begin, height=0.62, color=fill, alpha=0.45,
                  edgecolor=INK, linewidth=0.6, hatch=("", "//", "..", "xx", "\\\\")[shade // 5 % 5], gid=span.lane)
        if width > 0.045 * (end - begin):
            axes.text(span.start - begin + width / 2, row, span.what, ha="center", va="center", fontsize=8)
    axes.set_yticks([0, 1], ["host", "device"])
    axes.set(xlabel="microseconds", ylim=(1.5, -0.5), xlim=(0, (end - begin) * 1.01), title=title)
    axes.grid(visible=False, axis="y")
    order = [f"{span.what} from {span.start - begin:.0f} to {span.end - begin:.0f}" for span in spans
             if span.lane == "device"]
    waits = sum(span.end - span.start for span in spans if span.lane == "host" and span.what == "wait")
    figure.alt = (f"Timeline in microseconds. The device does: {', '.join(order[:8]) or 'nothing'}"
                  f"{', and more' if len(order) > 8 else ''}. The host launches ahead of it and waits {waits:.0f}.")
    return figure
