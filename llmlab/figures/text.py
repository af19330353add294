"""Plots along a text and across texts: the size of the nucleus, and how much of a text is repetition."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from llmlab.figures.labels import spoken, token_label
from llmlab.figures.style import Drawing, canvas, colour, styled


def repeated_ngrams(ids: Sequence[int], n: int = 4) -> float:
    """The share of a text's n-grams that occurred earlier in it: 1 - distinct / all; 0 if it has none.

    >>> repeated_ngrams([1, 2, 1, 2, 1], n=2)
    0.5
    """
    if n < 1:
        raise ValueError(f"n is {n}; an n-gram has at least one token")
    grams = [tuple(ids[i:i + n]) for i in range(len(ids) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


@styled
def nucleus_along_text(pieces: Sequence[bytes], sizes: Sequence[int], *, p: float = 0.9) -> Drawing:
    """Bars on a logarithmic scale: the number of tokens in the nucleus before each token of a text.

    pieces: the bytes of the text's tokens, in order; sizes: for each, how many tokens your `top_p` kept at
    its place. Raises ValueError if the two differ in length.
    """
    if len(pieces) != len(sizes) or not sizes:
        raise ValueError(f"{len(pieces)} pieces and {len(sizes)} sizes: give one size for each token")
    labels = [token_label(piece) for piece in pieces]
    figure, axes = canvas(max(5.0, 1.2 + 0.3 * len(labels)), 3.6)
    axes.bar(range(len(sizes)), list(sizes), color=colour(0), bottom=0)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(0.8, max(sizes) * 1.4)
    axes.set_xticks(range(len(labels)), labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=9)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel(f"tokens kept by top-p, p = {p:g}")
    widest = max(range(len(sizes)), key=lambda i: sizes[i])
    figure.alt = (f"Number of tokens in the nucleus at p = {p:g} before each of {len(sizes)} tokens: median "
                  f"{statistics.median(sizes):g}, one token at {sum(s == 1 for s in sizes)} places, and at "
                  f"most {sizes[widest]}, before {spoken(labels[widest])}.")
    return figure


@styled
def repetition_by_strategy(texts: Mapping[str, Sequence[Sequence[int]]], *, n: int = 4) -> Drawing:
    """Bars: the share of repeated n-grams for each decoding strategy, with a dot for each single text.

    texts: strategy -> texts, each a list of token ids. The bar is the mean over the strategy's texts.
    """
    if not texts or any(not group for group in texts.values()):
        counts = {name: len(group) for name, group in texts.items()}
        raise ValueError(f"texts holds {counts} texts: give each strategy at least one list of token ids")
    figure, axes = canvas(7.0, 1.2 + 0.42 * len(texts))
    said = []
    for i, (name, group) in enumerate(texts.items()):
        shares = [repeated_ngrams(ids, n) for ids in group]
        mean = statistics.fmean(shares)
        axes.barh(i, mean, 0.7, color=colour(0))
        if len(shares) > 1:
            axes.plot(shares, [i] * len(shares), "o", markersize=6, color=colour(1), markeredgecolor="white",
                      markeredgewidth=0.7, zorder=3)
        axes.annotate(f"{mean:.0%}", (max(shares), i), xytext=(6, 0), textcoords="offset points", va="center")
        said.append(f"{name} {mean:.0%}")
    axes.set_yticks(range(len(texts)), list(texts))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 1.1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel(f"repeated {n}-grams")
    figure.alt = f"Share of repeated {n}-grams by strategy: {', '.join(said)}."
    return figure
