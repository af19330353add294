"""Plots of one distribution over the next token: what a rule does to it, how much choice there is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from llmlab.figures.labels import spoken, token_labels
from llmlab.figures.style import LINES, QUIET, Drawing, canvas, colour, styled


def _row(logits: Tensor, name: str) -> Tensor:
    row = logits.detach().to(torch.float64)
    if row.ndim == 2 and row.shape[0] == 1:
        row = row[0]
    if row.ndim != 1:
        raise ValueError(f"{name} has shape {tuple(logits.shape)}; needed is one row, (V,) or (1, V)")
    return row


@styled
def next_token_bars(logits: Tensor, pieces: Sequence[bytes], after: Tensor | None = None, *, top: int = 12,
                    names: tuple[str, str] = ("before", "after"), title: str = "") -> Drawing:
    """Horizontal bars: the probabilities of the `top` most likely next tokens, and what a rule makes of them.

    logits: (V,) or (1, V); pieces: the bytes of every token id (`lm.pieces`); after: the same row as your
    function returned it, with -inf for removed tokens. Tokens are ordered by `logits`; those of probability 0
    get a cross.
    Raises ValueError if a row has another shape, or `top` is below 1.
    """
    if top < 1:
        raise ValueError(f"top is {top}; draw at least one token")
    before = _row(logits, "logits")
    order = before.argsort(descending=True, stable=True)[:top].tolist()
    p = before.softmax(-1)[order].tolist()
    labels = token_labels(order, pieces)
    figure, axes = canvas(7.0, 1.3 + 0.27 * len(order) * (1 if after is None else 1.35))
    rows = list(range(len(order)))
    if after is None:
        axes.barh(rows, p, color=colour(0), label=names[0])
        alt = (f"Bars of the {len(order)} most likely next tokens. The first is {spoken(labels[0])} with "
               f"probability {p[0]:.2f}; together they have {sum(p):.2f}.")
    else:
        new = _row(after, "after")
        if new.shape != before.shape:
            raise ValueError(f"after has shape {tuple(new.shape)} and logits {tuple(before.shape)}: "
                             "make them equal")
        q = new.softmax(-1)[order].tolist()
        axes.barh([i - 0.2 for i in rows], p, 0.4, color=colour(0), label=names[0])
        axes.barh([i + 0.2 for i in rows], q, 0.4, color=colour(1), hatch="//", edgecolor="white",
                  label=names[1])
        gone = [i for i in rows if new[order[i]] == -math.inf]
        axes.plot([0.012 * max(p + q)] * len(gone), [i + 0.2 for i in gone], "x", color=colour(1),
                  markersize=5, label="probability 0" if gone else None)
        kept = int((new > -math.inf).sum())
        alt = (f"Pairs of bars for the {len(order)} most likely next tokens, {names[0]} and {names[1]}. "
               f"{spoken(labels[0])} goes from {p[0]:.2f} to {q[0]:.2f}; {kept} of {len(new)} "
               "tokens have more than 0 after.")
        axes.legend(loc="lower right")
    axes.set_yticks(rows, labels)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("probability")
    axes.set_title(title)
    figure.alt = alt
    return figure


def entropy(logits: Tensor) -> float:
    """Entropy of softmax(logits) in nats, of one row (V,); removed tokens (-inf) count as probability 0."""
    p = logits.to(torch.float64).softmax(-1)
    return max(0.0, float(-torch.special.xlogy(p, p).sum()))


@styled
def entropy_against_temperature(rows: Mapping[str, Tensor], temperatures: Sequence[float],
                                apply_temperature: Callable[[Tensor, float], Tensor] | None = None,
                                ) -> Drawing:
    """Lines: the entropy of the next token, in nats, against temperature; one line for each prompt.

    rows: prompt -> logits (V,); temperatures: increasing, 0 allowed; apply_temperature: the function to use,
    by default the one in your `llmlab.decoding`. The grey line is ln V: it cannot be exceeded.
    """
    if apply_temperature is None:
        from llmlab.decoding import apply_temperature
    figure, axes = canvas()
    said = []
    for i, (name, logits) in enumerate(rows.items()):
        row = _row(logits, name)
        heights = [entropy(apply_temperature(row, t)) for t in temperatures]
        axes.plot(list(temperatures), heights, color=colour(i), linestyle=LINES[i % len(LINES)],
                  label=name.strip())
        said.append(f"{spoken(name)} from {heights[0]:.2f} at T={temperatures[0]:g} to {heights[-1]:.2f} "
                    f"at T={temperatures[-1]:g}")
    size = max(_row(logits, name).shape[0] for name, logits in rows.items())
    axes.axhline(math.log(size), color=QUIET, linewidth=1, label=f"ln {size}")
    axes.set_xlabel("temperature T")
    axes.set_ylabel("entropy in nats")
    axes.set_ylim(0, 1.06 * math.log(size))
    axes.legend(loc="lower right", fontsize=9)
    figure.alt = (f"Entropy of the next token against temperature, one line a prompt: {'; '.join(said)}. "
                  f"The limit is ln {size} = {math.log(size):.2f}.")
    return figure
