"""A tiny target with heads made to be right and wrong where the check wants it: what the loop must give is known.

The heads are solved for, not trained: one matrix has room for as many rows of x as it has columns, so that at each
of the few positions of a continuation it can be told what to say.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.checks.kv_cache.tiny import Tiny
from llmlab.checks.medusa.heads import said
from llmlab.checks.medusa.trees import ranked

LEAD = 0.02
"""A chosen token leads by at least this in its logit, so that rounding never decides."""
MARGIN = 0.3
"""By this much, in logits, the heads prefer what they are told to say."""
LOUD = 60.0
MISS = 9


@dataclass(frozen=True, eq=False)
class Stage:
    """A prompt, its greedy continuation `text` (longer than the n tokens asked for), and heads.

    `ranks[j][k]`: the place, from 0, that head k at row j gives the token it is there for. Row 0 is the
    prompt's last one, whose next token is text[0]; head k there should say text[1 + k].
    """

    tiny: Tiny
    prompt: list[int]
    text: list[int]
    n: int
    tops: tuple[int, ...]
    heads: Tensor
    ranks: list[list[int]]
    offered: list[list[list[int]]]

    def agreed(self, row: int, at: int) -> int:
        """How many heads in a row, reading `row`, offer the tokens behind text[at]."""
        count = 0
        for k, top in enumerate(self.tops):
            if at + 1 + k >= len(self.text) or self.text[at + 1 + k] not in self.offered[row][k][:top]:
                break
            count += 1
        return count

    def sizes(self, row_of=lambda at, size: at + size) -> list[int]:
        """How many tokens each pass gives; `row_of(at, size)` is the row that the next heads read."""
        at, row, out = 0, 0, []
        while at + 1 < self.n:
            out.append(1 + self.agreed(row, at))
            row = row_of(at, out[-1])
            at += out[-1]
        return out

    def paths(self) -> list[list[int]]:
        """The accepted nodes of each pass, in the numbering of candidate_tree."""
        at, out = 0, []
        for size in self.sizes():
            start, width, place, path = 0, 1, 0, [0]
            for k in range(size - 1):
                rank = self.offered[at][k].index(self.text[at + 1 + k])
                start, place = start + width, place * self.tops[k] + rank
                width *= self.tops[k]
                path.append(start + place)
            out.append(path)
            at += size
        return out


def inverse_silu(values: Tensor) -> Tensor:
    """z >= 0 with silu(z) = values >= 0, by Newton's rule."""
    z = values.clone()
    for _ in range(30):
        sigmoid = torch.sigmoid(z)
        z -= (z * sigmoid - values) / (sigmoid * (1 + z * (1 - sigmoid)))
    return z


def persuaded(tiny: Tiny, row: Tensor, wanted: Sequence[int]) -> Tensor:
    """What to add to a row of x, nothing negative, so that its likeliest tokens are `wanted`, in this order."""
    up = tiny.head[:, wanted[0]].clamp(min=0) + 0.8 * tiny.head[:, wanted[1]].clamp(min=0)
    up = LOUD * up / up.norm()
    for _ in range(200):
        scores = tiny.logits(row + up)
        rest = scores.clone()
        rest[list(wanted)] = -math.inf
        order = [*wanted, int(rest.argmax())]
        pairs = [(a, b) for a, b in itertools.pairwise(order) if scores[a] < scores[b] + MARGIN]
        if not pairs:
            break
        for a, b in pairs:
            up = (up + 0.02 * LOUD * (tiny.head[:, a] - tiny.head[:, b])).clamp(min=0)
    return up


def solved(tiny: Tiny, rows: Tensor, wanted: Sequence[Sequence[int]]) -> Tensor:
    """A matrix W, float32, for which row j + silu(W row j) makes wanted[j] the likeliest tokens, in their order."""
    ups = torch.stack([persuaded(tiny, row, tokens) for row, tokens in zip(rows, wanted, strict=True)])
    return torch.linalg.lstsq(rows, inverse_silu(ups)).solution.T.float()


def staged(seed: int, length: int, n: int, tops: tuple[int, ...], ranks: Sequence[Sequence[int]],
           shape: tuple[int, int] = (4, 2)) -> Stage:
    """A stage on which head k at row j gives its token the place ranks[j % len(ranks)][k]: 0, 1 or MISS."""
    heads_count, rows_count = len(ranks[0]), n + 1
    while True:
        seed += 1_000
        tiny, generator = Tiny(seed, *shape, layers=1), torch.Generator().manual_seed(seed)
        prompt = torch.randint(1, tiny.vocab, (length,), generator=generator).tolist()
        text, lead = [], math.inf
        for _ in range(rows_count + heads_count):
            top = tiny.logits(tiny.whole([*prompt, *text])[-1]).topk(2)
            text.append(int(top.indices[0]))
            lead = min(lead, float(top.values[0] - top.values[1]))
            if lead < LEAD:
                break
        if lead < LEAD or len(set(text)) < len(text) // 2:
            continue
        x = tiny.whole([*prompt, *text])[length - 1 : length - 1 + rows_count]
        places = [list(ranks[j % len(ranks)]) for j in range(rows_count)]
        matrices = []
        for k in range(heads_count):
            wanted = []
            for j in range(rows_count):
                true = text[j + 1 + k]
                others = [t for t in torch.randperm(tiny.vocab, generator=generator).tolist() if t != true][:2]
                wanted.append({0: [true, others[0]], 1: [others[0], true]}.get(places[j][k], others))
            matrices.append(solved(tiny, x, wanted))
        heads = torch.stack(matrices)
        logits = said(tiny, heads, x[None])
        offered = [[ranked(logits[k, j].tolist()) for k in range(heads_count)] for j in range(rows_count)]
        stage = Stage(tiny, prompt, text, n, tops, heads, places, offered)
        if kept_its_word(stage, logits):
            return stage


def kept_its_word(stage: Stage, logits: Tensor) -> bool:
    """Whether the heads' first two tokens are the planned ones, with a margin that rounding does not eat."""
    for j, row in enumerate(stage.offered):
        for k, order in enumerate(row):
            place, planned = order.index(stage.text[j + 1 + k]), stage.ranks[j][k]
            values = logits[k, j].sort(descending=True).values[:3]
            if place != planned and (planned != MISS or place < 2) or float((values[:-1] - values[1:]).min()) < LEAD:
                return False
    return True
