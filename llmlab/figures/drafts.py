"""What became of drafted tokens, pass by pass: recorded around a draft of your own, and drawn as a strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle
from torch import Tensor

from llmlab.figures.labels import spoken, token_labels
from llmlab.figures.style import CARD, INK, QUIET, Drawing, colour, styled


@dataclass(frozen=True)
class Checked:
    """One pass over one text: the tokens that were drafted, and those that the text gained."""

    drafted: tuple[int, ...]
    gained: tuple[int, ...]

    @property
    def accepted(self) -> int:
        """How many drafted tokens stayed.

        >>> Checked((5, 6, 7), (5, 9)).accepted, Checked((5, 6), (5, 6, 8)).accepted
        (1, 2)
        """
        same = [a == b for a, b in zip(self.drafted, self.gained, strict=False)]
        return (same + [False]).index(False)


class Followed:
    """A draft that does what yours does and writes down what it proposed.

    Give it to `generate` in place of the draft; `passes(text)` then says what became of each proposal. It follows one
    text of a batch: the first, unless `row` says otherwise.
    """

    def __init__(self, draft, row: int = 0) -> None:
        self.draft, self.row = draft, row
        self._seen: list[tuple[list[int], tuple[int, ...]]] = []

    def propose(self, rows: list[list[int]], uniforms: Tensor) -> tuple[Tensor, Tensor]:
        """What the draft proposes."""
        drafted, q = self.draft.propose(rows, uniforms)
        self._seen.append((list(rows[self.row]), tuple(drafted[self.row].tolist())))
        return drafted, q

    def passes(self, text: Sequence[int]) -> list[Checked]:
        """Every pass, in order. text: the prompt and what was written after it."""
        texts = [*(row for row, _ in self._seen[1:]), list(text)]
        return [Checked(drafted, tuple(after[len(row):]))
                for (row, drafted), after in zip(self._seen, texts, strict=True) if len(row) < len(text)]


@styled
def draft_strip(passes: Sequence[Checked], pieces: Sequence[bytes], most: int = 12) -> Drawing:
    """A row for each of the first `most` passes: drafted tokens from left to right, then the token that the pass adds.

    Accepted tokens are filled. The first rejected one is struck out, those dropped behind it are grey. The last square,
    set off, is the token that replaced it, or the bonus if none was rejected. pieces: `lm.pieces`. Raises ValueError if
    there is no pass.
    """
    shown = list(passes)[:most]
    if not shown:
        raise ValueError("there is no pass to draw: run generate with the followed draft first")
    gamma = max(len(one.drafted) for one in shown)
    figure = plt.figure(figsize=(7.0, 0.9 + 0.34 * len(shown)), FigureClass=Drawing)
    axes = figure.add_subplot()
    for y, one in enumerate(shown):
        for x, label in enumerate(token_labels(one.drafted, pieces)):
            kept, struck = x < one.accepted, x == one.accepted
            _square(axes, x, y, label, fill=colour(0) if kept else CARD, ink=CARD if kept else INK if struck else QUIET,
                    edge=colour(1) if struck else QUIET, struck=struck)
        if len(one.gained) > one.accepted:
            bonus = one.accepted == len(one.drafted)
            _square(axes, gamma + 0.35, y, token_labels(one.gained[-1:], pieces)[0], fill=CARD, ink=INK,
                    edge=colour(2) if bonus else colour(1), struck=False, wide=1.6)
            axes.text(gamma + 1.45, y, "bonus" if bonus else "instead", va="center", fontsize=8.5, color=INK)
    axes.set_xlim(-0.05, gamma + 2.3)
    axes.set_ylim(len(shown) - 0.45, -0.55)
    axes.set_yticks(range(len(shown)), [str(y + 1) for y in range(len(shown))])
    axes.set_xticks([x + 0.5 for x in range(gamma)], [str(x + 1) for x in range(gamma)])
    axes.set(xlabel="drafted token", ylabel="pass")
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    accepted, drafted = sum(one.accepted for one in shown), sum(len(one.drafted) for one in shown)
    gained = sum(len(one.gained) for one in shown)
    first = token_labels(shown[0].gained, pieces)
    figure.alt = (f"{len(shown)} passes with {gamma} drafted tokens each: {accepted} of {drafted} drafted tokens were "
                  f"accepted, and the text gained {gained}. The first pass accepted {shown[0].accepted} and wrote "
                  f"{spoken(''.join(first))}.")
    return figure


def _square(axes, x: float, y: int, label: str, *, fill: str, ink: str, edge: str, struck: bool, wide: float = 1.0) -> None:
    """A token in a square; `struck` draws a line through it."""
    axes.add_patch(Rectangle((x + 0.03, y - 0.4), 0.94, 0.8, facecolor=fill, edgecolor=edge, linewidth=wide))
    axes.text(x + 0.5, y, label if len(label) <= 9 else label[:8] + "…", ha="center", va="center", fontsize=8.5, color=ink)
    if struck:
        axes.plot([x + 0.08, x + 0.92], [y, y], color=edge, linewidth=1.2)
