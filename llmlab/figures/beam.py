"""The tree of a beam search, drawn from what your own `beam_search` asked the model and returned.

`Watch` stands between the search and the model and writes down every row that was asked for. A prefix that
was asked for was alive; a continuation that ranked high but was never asked for was dropped. Nothing here
searches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.figures.labels import spoken, token_label
from llmlab.figures.style import INK, QUIET, Drawing, canvas, colour, styled

Prefix = tuple[int, ...]


class Watch:
    """A model that remembers what it was asked: `rows` maps each row's real tokens to its logits (V,).

    model: `model(ids (B, T), attention_mask (B, T)) -> (B, V)`, for example `lm.next_logits`.
    """

    def __init__(self, model: Callable[[Tensor, Tensor | None], Tensor]) -> None:
        self.model = model
        self.rows: dict[Prefix, Tensor] = {}

    def __call__(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """The model's own answer, written down."""
        logits = self.model(ids, attention_mask)
        mask = torch.ones_like(ids) if attention_mask is None else attention_mask
        for row, real, answer in zip(ids, mask, logits, strict=True):
            self.rows[tuple(row[real.bool()].tolist())] = answer.detach().clone()
        return logits


@dataclass(frozen=True)
class Branch:
    """One extension that the search looked at: its summed log-probability, and kept, dropped or result."""

    prefix: Prefix
    score: float
    fate: str


def branches(rows: dict[Prefix, Tensor], prompt: Sequence[int], results: Iterable[Sequence[int]],
             each: int) -> list[Branch]:
    """What a search kept and dropped, told from the rows it asked for and the hypotheses it returned.

    Of every live prefix its `each` most likely continuations are listed, and any other that was kept. The
    prefixes are without the prompt. Sorted by length, then best first.
    """
    start = tuple(prompt)
    live = {row[len(start):]: logits for row, logits in rows.items() if row[:len(start)] == start}
    final = {tuple(tokens) for tokens in results}
    scores: dict[Prefix, float] = {(): 0.0}
    found: list[Branch] = []
    for prefix in sorted(live, key=len):
        if prefix not in scores:
            continue  # a row that no listed prefix leads to, such as a padded one
        logp = live[prefix].to(torch.float64).log_softmax(-1)
        order = logp.argsort(descending=True, stable=True).tolist()
        later = {other[len(prefix)] for other in (*live, *final)
                 if len(other) > len(prefix) and other[:len(prefix)] == prefix}
        for token in order[:each] + sorted(later - set(order[:each])):
            child = (*prefix, token)
            scores[child] = scores[prefix] + float(logp[token])
            fate = "result" if child in final else "kept" if child in live else "dropped"
            found.append(Branch(child, scores[child], fate))
    return sorted(found, key=lambda branch: (len(branch.prefix), -branch.score))


def beam_tree(step_logits: Callable[[Prefix], Tensor], pieces: Sequence[bytes], *, beams: int = 2,
              steps: int = 4, eos_id: int | None = None, beam_search: Callable | None = None) -> Drawing:
    """The tree of a beam search over `steps` tokens. Thick: kept; thin and grey: dropped; starred: returned.

    step_logits: maps the tokens chosen so far (a tuple, without the prompt) to the next logits (V,); pieces:
    the bytes of every token id; beam_search: the function to watch, by default yours in `llmlab.decoding`.
    Best read with 2 or 3 beams and up to 5 steps.
    """
    if beam_search is None:
        from llmlab.decoding import beam_search

    def model(ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        mask = torch.ones_like(ids) if attention_mask is None else attention_mask
        real = [tuple(row[keep.bool()].tolist())[1:] for row, keep in zip(ids, mask, strict=True)]
        return torch.stack([step_logits(prefix).reshape(-1) for prefix in real])

    watch, prompt = Watch(model), [0]  # a prompt of one token, which `model` takes off again
    found = beam_search(watch, prompt, beams=beams, max_new_tokens=steps, eos_id=eos_id, length_penalty=0.0)
    return draw_tree(branches(watch.rows, prompt, [tokens for _, tokens in found], beams), pieces)


@styled
def draw_tree(found: Sequence[Branch], pieces: Sequence[bytes]) -> Drawing:
    """The picture of some branches, for a search that you watched yourself with `Watch` and `branches`."""
    if not found:
        raise ValueError("there are no branches to draw: the model was never asked for the prompt itself")
    places = _layout([branch.prefix for branch in found])
    depth = max(len(branch.prefix) for branch in found)
    figure, axes = canvas(1.6 + 1.75 * depth, 0.8 + 0.36 * max(3, _leaves(places)))
    best = max((branch for branch in found if branch.fate == "result"), key=lambda b: b.score, default=None)
    for branch in found:
        x, y = places[branch.prefix]
        x0, y0 = places[branch.prefix[:-1]]
        kept = branch.fate != "dropped"
        on_best = best is not None and best.prefix[:len(branch.prefix)] == branch.prefix
        shade = colour(1) if on_best else colour(0) if kept else QUIET
        axes.plot([x0 + (0.62 if branch.prefix[:-1] else 0.0), x], [y0, y], color=shade, gid=branch.fate,
                  linewidth=2.6 if kept else 0.8, linestyle="-" if kept else ":", solid_capstyle="round")
        label = f"{token_label(pieces[branch.prefix[-1]])}  {branch.score:.2f}"
        axes.text(x + 0.03, y, label, va="center", fontsize=9, fontweight="bold" if on_best else "normal",
                  color=shade if on_best else INK if kept else QUIET,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})
        if branch.fate == "result":
            axes.plot([x + 0.66], [y], marker="*", markersize=9, color=shade, gid="star")
    axes.plot([0], [0], "o", color=INK, markersize=5)
    axes.set_xlim(-0.1, depth + 0.75)
    axes.set_axis_off()
    dropped = sum(branch.fate == "dropped" for branch in found)
    words = "".join(token_label(pieces[i]) for i in best.prefix) if best else ""
    told = f"The best hypothesis is {spoken(words)} with log-probability {best.score:.2f}." if best else ""
    figure.alt = (f"Tree of a beam search over {depth} steps: {len(found) - dropped} branches kept and "
                  f"{dropped} dropped. {told}")
    return figure


def _leaves(places: dict[Prefix, tuple[float, float]]) -> int:
    """How many prefixes of a layout have no continuation in it: the lines of text that the picture needs."""
    return len(places) - len({prefix[:-1] for prefix in places if prefix})


def _layout(prefixes: Sequence[Prefix]) -> dict[Prefix, tuple[float, float]]:
    """Depth to the right; leaves one below the other in the given order, a parent amid its children."""
    children: dict[Prefix, list[Prefix]] = {}
    for prefix in prefixes:
        children.setdefault(prefix[:-1], []).append(prefix)
    places: dict[Prefix, tuple[float, float]] = {}
    leaves = 0

    def place(prefix: Prefix) -> float:
        nonlocal leaves
        below = [place(child) for child in children.get(prefix, ())]
        if below:
            y = sum(below) / len(below)
        else:
            y, leaves = -float(leaves), leaves + 1
        places[prefix] = (float(len(prefix)), y)
        return y

    middle = place(())
    return {prefix: (x, y - middle) for prefix, (x, y) in places.items()}
