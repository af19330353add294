"""What a run of passes must give, and what it gives under known mistakes.

`right` is computed by `Tiny.whole`: each sequence alone, without padding and cache. `simulate` runs the
passes with a cache in float64 under a set of rules, some of them wrong, to recognise a mistake by its result.
It is needed only after a failure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from llmlab.checks.kv_cache.places import CAUSAL, Place, Sees, place, sees
from llmlab.checks.kv_cache.tiny import Tiny


@dataclass(frozen=True, eq=False)
class Pass:
    """New tokens ids (B, T) with the mask of all columns, real (B, S), after `past` columns in the cache."""

    ids: Tensor
    real: Tensor

    @property
    def new(self) -> int:
        return self.ids.shape[1]

    @property
    def past(self) -> int:
        return self.real.shape[1] - self.new

    def texts(self, earlier: Sequence[Sequence[int]]) -> list[list[int]]:
        """Each row's columns after this pass, padding included."""
        return [[*row[: self.past], *new] for row, new in zip(earlier, self.ids.tolist(), strict=True)]


def splits(ids: Tensor, real: Tensor, sizes: Sequence[int]) -> list[Pass]:
    """Passes of these sizes over a batch of texts."""
    made, start = [], 0
    for size in sizes:
        made.append(Pass(ids[:, start : start + size], real[:, : start + size]))
        start += size
    return made


def right(tiny: Tiny, passes: Sequence[Pass], window: int | None = None) -> list[Tensor]:
    """x (B, T, D) of each pass, float64; nan where the column is padding."""
    rows: list[list[int]] = [[] for _ in range(len(passes[0].ids))]
    told = []
    for one in passes:
        rows = one.texts(rows)
        told.append(
            [
                tuple(t for t, r in zip(row, mask, strict=True) if r)
                for row, mask in zip(rows, one.real.tolist(), strict=True)
            ]
        )
    known: dict[tuple[int, ...], Tensor] = {}
    for texts in reversed(told):  # a longer text has the rows of its beginnings
        for text in texts:
            if text and not any(longer[: len(text)] == text for longer in known):
                known[text] = tiny.whole(text, window)
    out = []
    for one, texts in zip(passes, told, strict=True):
        x = torch.full((*one.ids.shape, tiny.width), math.nan, dtype=torch.float64)
        for b, text in enumerate(texts):
            count = int(one.real[b, one.past :].sum())
            if count:
                whole = next(value for longer, value in known.items() if longer[: len(text)] == text)
                x[b, one.new - count :] = whole[len(text) - count : len(text)]
        out.append(x)
    return out


@dataclass(frozen=True)
class Rules:
    """How a run may go wrong. `place(row, column, new)`; `moved(position, pass number, was there a cut)`."""

    place: Place = lambda r, c, n: place(r, c)
    moved: Callable[[int, int, bool, int], int] = lambda p, number, cut, forgotten: p
    sees: Sees = lambda r, q, c, w, n: sees(r, q, c, w)
    shared: Callable[[int, int, int], int] = lambda h, heads, kv: h // (heads // kv)
    scale: Callable[[int, int, int], float] = lambda d, h, k: 1 / math.sqrt(d)
    flat_keys: bool = False
    late: bool = False
    blind_past: bool = False


RULES: dict[str, tuple[Rules, str]] = {
    "positions-restart-at-zero": (
        Rules(place=lambda r, c, n: place(r[len(r) - n :], c - len(r) + n)),
        "The new tokens got positions from 0 on. They go on from the past: give `positions` the mask of "
        "all columns.",
    ),
    "positions-stale-after-rollback": (
        Rules(moved=lambda p, number, cut, forgotten: p + forgotten),
        "After tokens were taken back, the positions went on as if they were still there. Ask the cache "
        "for its length.",
    ),
    "positions-off-by-one-after-rollback": (
        Rules(moved=lambda p, number, cut, forgotten: p + cut),
        "After tokens were taken back, positions are one too large.",
    ),
    "positions-one-too-far": (
        Rules(moved=lambda p, number, cut, forgotten: p + (number > 0)),
        "After the first pass, positions are one too large: the token behind a past of 7 has position 7.",
    ),
    "positions-one-behind": (
        Rules(moved=lambda p, number, cut, forgotten: max(p - (number > 0), 0)),
        "After the first pass, positions are one too small: the token behind a past of 7 has position 7.",
    ),
    "positions-counted-twice": (
        Rules(late=True),
        "From the second layer on, the new tokens were counted as past: `cache.length()` was "
        "asked after the first layer's append. Ask once, before the layers.",
    ),
    "keys-not-rotated": (
        Rules(flat_keys=True),
        "The cached keys were turned by position 0, not by their own. Keys go into the cache as `qkv` turns "
        "them for the positions of their tokens.",
    ),
    **{
        name: (Rules(sees=rule), words) for name, (rule, words) in CAUSAL.items() if name != "mask-empty-rows"
    },
    "forgets-past-padding": (
        Rules(blind_past=True),
        "The padding of earlier passes was seen. `real` has the past, too.",
    ),
    "kv-heads-tiled": (
        Rules(shared=lambda h, heads, kv: h % kv),
        "Query head h read key-value head h % K. Neighbours share: h // (H / K).",
    ),
    "kv-first-head-only": (Rules(shared=lambda h, heads, kv: 0), "Every query head read key-value head 0."),
    "scale-missing": (Rules(scale=lambda d, h, k: 1.0), "The scores were not divided by sqrt(d)."),
    "scale-by-model-width": (
        Rules(scale=lambda d, h, k: 1 / math.sqrt(d * h)),
        "The scores were divided by the root of H * d. d is the width of one head.",
    ),
}


@dataclass
class Memory:
    """What a simulated cache holds."""

    keys: list[Tensor | None]
    values: list[Tensor | None]
    rows: list[list[int]] = field(default_factory=list)
    length: int = 0
    forgotten: int = 0


def simulate(
    tiny: Tiny, passes: Sequence[Pass], window: int | None = None, rules: Rules | None = None
) -> list[Tensor]:
    """x (B, T, D) of each pass under these rules, float64."""
    rules, out = rules or Rules(), []
    memory = Memory([None] * tiny.layers, [None] * tiny.layers)
    for number, one in enumerate(passes):
        memory.forgotten += memory.length - one.past
        memory.length = one.past
        out.append(step(tiny, one, memory, window, rules, number))
        memory.length += one.new
    return out


def step(tiny: Tiny, one: Pass, memory: Memory, window: int | None, rules: Rules, number: int) -> Tensor:
    """One pass of `simulate`."""
    real, size = one.real.tolist(), one.real.shape[1]
    if rules.blind_past:
        real = [[1] * one.past + row[one.past :] for row in real]
    columns = range(one.past, size)
    cut = memory.forgotten > 0
    where = torch.tensor(
        [
            [
                max(rules.moved(rules.place(row, c, one.new), number, cut, memory.forgotten), 0)
                for c in columns
            ]
            for row in real
        ]
    )
    mask = torch.tensor(
        [
            [[bool(rules.sees(row, q, c, window, one.new)) for c in range(size)] for q in columns]
            for row in real
        ]
    )
    order = [rules.shared(h, tiny.heads, tiny.kv_heads) for h in range(tiny.heads)]
    x = tiny.embedding[one.ids]
    for layer in range(tiny.layers):
        q, k, v = tiny.qkv(layer, x, where + one.new if rules.late and layer else where)
        if rules.flat_keys:
            k = tiny.qkv(layer, x, torch.zeros_like(where))[1]
        if memory.keys[layer] is not None:
            k = torch.cat([memory.keys[layer][:, :, : one.past], k], 2)
            v = torch.cat([memory.values[layer][:, :, : one.past], v], 2)
        memory.keys[layer], memory.values[layer] = k, v
        scores = q @ k[:, order].transpose(2, 3) * rules.scale(tiny.head_dim, tiny.heads, tiny.kv_heads)
        weights = scores.masked_fill(~mask[:, None], -math.inf).softmax(-1).nan_to_num(0)
        x = tiny.finish(layer, x, weights @ v[:, order])
    return x


def rules_for(grouped: bool, window: bool) -> Mapping[str, tuple[Rules, str]]:
    """The mistakes that can show in such a run."""
    return {
        name: pair
        for name, pair in RULES.items()
        if (window or not name.startswith("window")) and (grouped or not name.startswith("kv-"))
    }


def greedy(
    tiny: Tiny, ids: Tensor, real: Tensor, new: int, rules: Rules | None = None
) -> tuple[Tensor, float]:
    """The new tokens (B, new) of a greedy continuation, and the smallest lead that a chosen token had.

    Without rules each row alone and whole, the oracle; with rules through `simulate`.
    """
    if rules is None:
        rows, lead = [], math.inf
        for row, mask in zip(ids.tolist(), real.tolist(), strict=True):
            text = [t for t, r in zip(row, mask, strict=True) if r]
            for _ in range(new):
                top = tiny.logits(tiny.whole(text)[-1]).topk(2)
                text.append(int(top.indices[0]))
                lead = min(lead, float(top.values[0] - top.values[1]))
            rows.append(text[-new:])
        return torch.tensor(rows), lead
    passes, chosen = [Pass(ids, real)], []
    memory = Memory([None] * tiny.layers, [None] * tiny.layers)
    for number in range(new):
        x = step(tiny, passes[-1], memory, None, rules, number)
        memory.length += passes[-1].new
        chosen.append(tiny.logits(x[:, -1]).argmax(-1))
        real = torch.cat([real, torch.ones_like(real[:, :1])], 1)
        passes.append(replace(passes[-1], ids=chosen[-1][:, None], real=real))
    return torch.stack(chosen, 1), math.inf
