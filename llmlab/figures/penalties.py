"""Plots of penalties: what each does to logits, and how the length exponent ranks hypotheses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from llmlab.figures.labels import spoken, token_labels
from llmlab.figures.style import LINES, MARKERS, QUIET, Drawing, canvas, colour, styled


@styled
def penalty_effect(logits: Tensor, after: Mapping[str, Tensor], tokens: Sequence[int],
                   pieces: Sequence[bytes], counts: Sequence[int] | None = None) -> Drawing:
    """Dots: the logits of some tokens before and after each penalty. A banned one has a cross at the left.

    logits: (V,) or (1, V); after: name of the penalty -> the row your function returned; tokens: the ids to
    draw; counts: how often each occurred in the new text, written beside its label.
    """
    before = logits.reshape(-1)
    if counts is not None and len(counts) != len(tokens):
        raise ValueError(f"{len(tokens)} tokens and {len(counts)} counts: give one count for each token")
    series = {"no penalty": before, **{name: row.reshape(-1) for name, row in after.items()}}
    for name, row in series.items():
        if row.shape != before.shape:
            raise ValueError(f"after[{name!r}] has {row.shape[0]} logits, the row before {before.shape[0]}")
    drawn = [float(row[i]) for row in series.values() for i in tokens]
    finite = [value for value in drawn if math.isfinite(value)] + [0.0]
    edge = min(finite) - 0.06 * (max(finite) - min(finite) + 1)
    figure, axes = canvas(7.0, 1.4 + 0.34 * len(tokens) * max(1.0, len(series) / 3))
    banned = 0
    for place in range(len(tokens)):
        axes.axhspan(place - 0.45, place + 0.45, color="#f4f4f4", zorder=0)
    for i, (name, row) in enumerate(series.items()):
        shift = 0.7 * ((i + 0.5) / len(series) - 0.5)
        values = [float(row[t]) for t in tokens]
        places = [place + shift for place in range(len(tokens))]
        axes.plot(values, places, linestyle="", color=colour(i), marker=MARKERS[i % len(MARKERS)], label=name)
        gone = [y for v, y in zip(values, places, strict=True) if v == -math.inf]
        axes.plot([edge] * len(gone), gone, "x", color=colour(i), markersize=7, markeredgewidth=2,
                  label="_banned")
        banned += len(gone)
    axes.axvline(0, color=QUIET, linewidth=1)
    labels = token_labels(tokens, pieces)
    axes.set_yticks(range(len(tokens)),
                    labels if counts is None else [f"{t}  ×{c}" for t, c in zip(labels, counts, strict=True)])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("logit" + ("   (a cross at the left edge: banned, −∞)" if banned else ""))
    figure.legend(loc="outside upper center", ncols=3, fontsize=9)
    first = float(before[tokens[0]])
    ends = {name: float(row.reshape(-1)[tokens[0]]) for name, row in after.items()}
    said = [f"{name} {z:.2f}" if math.isfinite(z) else f"{name} bans it" for name, z in ends.items()]
    figure.alt = (f"Logits of {len(tokens)} tokens before and after {len(after)} penalties. "
                  f"{spoken(labels[0])} has {first:.2f} without a penalty; {', '.join(said)}.")
    return figure


@styled
def score_against_alpha(hypotheses: Mapping[str, tuple[float, int]], alphas: Sequence[float],
                        length_penalty: Callable[..., float] | None = None, form: str = "hf") -> Drawing:
    """Lines: the score of finished hypotheses against the length exponent, to see where the ranking flips.

    hypotheses: name -> (sum of log-probabilities, number of tokens); alphas: the exponents, increasing;
    length_penalty: the function to use, by default the one in your `llmlab.penalties`; form: "hf" or "gnmt".
    """
    if length_penalty is None:
        from llmlab.penalties import length_penalty
    scores = {name: [float(length_penalty(total, length, a, form)) for a in alphas]
              for name, (total, length) in hypotheses.items()}
    figure, axes = canvas(7.0, 3.4)
    for i, (name, line) in enumerate(scores.items()):
        total, length = hypotheses[name]
        axes.plot(list(alphas), line, color=colour(i), linestyle=LINES[i % len(LINES)],
                  label=f"{name}: {length} tokens, log-probability {total:g}")
    axes.set_xlabel("exponent α")
    axes.set_ylabel("score")
    axes.legend(loc="lower right", fontsize=9)
    best = [max(scores, key=lambda name: scores[name][k]) for k in range(len(alphas))]
    flips = [f"{best[k]} from α = {alphas[k]:.2f} on"
             for k in range(1, len(alphas)) if best[k] != best[k - 1]]
    figure.alt = (f"Scores of {len(scores)} hypotheses against the length exponent ({form} form). Best at "
                  f"α = {alphas[0]:g} is {best[0]}"
                  + (f"; {'; '.join(flips)}." if flips else " and stays so."))
    return figure
