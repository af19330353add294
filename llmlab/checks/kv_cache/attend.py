"""Checks of attention: shared heads, mask, scale, sizes of scores. The oracle goes head by head and "
"query by query."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from llmlab.checks.judging import Expect, judge
from llmlab.checks.kv_cache.places import left_padded, sees
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

TASK = "kv_cache.attention"
HEADS, GROUPED, MASKED = "one key-value head for each query head", "grouped and multi-query heads", "mask"
SIZES = "dtypes and large scores"
TASKS = (
    Task(
        TASK,
        "lab3",
        "attend with H query heads over K cached key-value heads",
        {HEADS: 2, GROUPED: 4, MASKED: 2, SIZES: 2},
        "part3/kv-cache.html#sec-attention",
    ),
)


def one(q: Tensor, keys: Tensor, values: Tensor, seen: Tensor, scale: float) -> Tensor:
    """One query (d,) over the columns it sees, float64."""
    k, v = keys[seen], values[seen]
    scores = [float(row @ q) * scale for row in k]
    top = max(scores)
    weights = torch.tensor([math.exp(s - top) for s in scores], dtype=torch.float64)
    return (weights / weights.sum()) @ v


def by_hand(
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor,
    scale: Callable[[int, int, int], float] | None = None,
    shared: Callable[[int, int, int], int] = lambda h, heads, kv: h // (heads // kv),
) -> Tensor:
    """The oracle; `scale` of (d, H, K) and `shared`, the key-value head of a query head, can be other "
    "rules."""
    wide = [t.double() for t in (q, keys, values)]
    batch, heads, new, size = q.shape
    factor = 1 / math.sqrt(size) if scale is None else scale(size, heads, keys.shape[1])
    out = torch.empty(batch, heads, new, size, dtype=torch.float64)
    for b in range(batch):
        for h in range(heads):
            kv = shared(h, heads, keys.shape[1])
            for t in range(new):
                out[b, h, t] = one(wide[0][b, h, t], wide[1][b, kv], wide[2][b, kv], mask[b, t], factor)
    return out.to(q.dtype)


def scores_of(q: Tensor, keys: Tensor) -> tuple[Tensor, int]:
    share = q.shape[1] // keys.shape[1]
    return torch.einsum("bhtd,bhsd->bhts", q.double(), keys.repeat_interleave(share, 1).double()) / q.shape[
        3
    ] ** 0.5, share


def odd(
    q: Tensor, keys: Tensor, values: Tensor, weigh: Callable[[Tensor, Tensor], Tensor], mask: Tensor
) -> Tensor:
    """Attention with another rule from scores and mask to weights."""
    scores, share = scores_of(q, keys)
    return (weigh(scores, mask[:, None]) @ values.repeat_interleave(share, 1).double()).to(q.dtype)


def overflowing(q: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """exp / sum(exp) in float32, as it is written down."""
    scores, share = scores_of(q, keys)
    raw = scores.masked_fill(~mask[:, None], -math.inf).float().exp()
    return ((raw / raw.sum(-1, keepdim=True)) @ values.repeat_interleave(share, 1).float()).to(q.dtype)


def over_queries(s: Tensor, m: Tensor) -> Tensor:
    return s.masked_fill(~m, -math.inf).softmax(-2).nan_to_num(0)


WEIGHTS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {
    "mask-ignored": (lambda s, m: s.softmax(-1), "The mask was not applied."),
    "mask-after-softmax": (
        lambda s, m: s.softmax(-1) * m,
        "Weights were set to 0 after the softmax, so the rest does not add up to 1. Mask the scores, with "
        "-inf.",
    ),
    "mask-with-zero": (
        lambda s, m: (s * m).softmax(-1),
        "Masked scores were set to 0, an ordinary score. Use -inf.",
    ),
    "mask-inverted": (
        lambda s, m: s.masked_fill(m & ~m.all(-1, keepdim=True), -math.inf).softmax(-1),
        "The columns that may be seen were hidden. True means that a column is seen.",
    ),
    "softmax-over-queries": (
        over_queries,
        "The softmax ran over the queries. It runs over the columns, the last dimension.",
    ),
    "no-softmax": (lambda s, m: s * m, "There is no softmax: the scores were used as weights."),
}
SCALES: dict[str, tuple[Callable[[int, int, int], float], str]] = {
    "scale-missing": (lambda d, h, k: 1.0, "The scores were not divided by sqrt(d)."),
    "scale-by-d": (lambda d, h, k: 1 / d, "The scores were divided by d. Divide by its root."),
    "scale-by-model-width": (
        lambda d, h, k: 1 / math.sqrt(d * h),
        "The scores were divided by the root of H * d, the width of all heads. d is the width of one.",
    ),
    "scale-by-kv-width": (
        lambda d, h, k: 1 / math.sqrt(d * k),
        "The scores were divided by the root of K * d. d is the width of one head.",
    ),
    "scale-multiplies": (lambda d, h, k: math.sqrt(d), "The scores were multiplied by sqrt(d). Divide."),
}


def attention_case(
    group: str, q: Tensor, keys: Tensor, values: Tensor, mask: Tensor, tol: float | None = None
) -> Case:
    """One call with everything that may be confused."""
    given = (q, keys, values, mask)
    wrong = {
        name: (lambda rule=rule: odd(q, keys, values, rule, mask), words)
        for name, (rule, words) in WEIGHTS.items()
    }
    wrong |= {
        name: (lambda rule=rule: by_hand(*given, scale=rule), words) for name, (rule, words) in SCALES.items()
    }
    if 1 < keys.shape[1] < q.shape[1]:
        wrong["kv-heads-tiled"] = (
            lambda: by_hand(*given, shared=lambda h, heads, kv: h % kv),
            "Key-value heads were repeated as a block (0 1 0 1), so query head h read head h % K. "
            "Neighbours share "
            "(0 0 1 1): head h reads head h // (H / K).",
        )
    if keys.shape[1] < q.shape[1]:
        wrong["kv-first-head-only"] = (
            lambda: by_hand(*given, shared=lambda h, heads, kv: 0),
            "Every query head read key-value head 0.",
        )
    wrong["softmax-overflows"] = (
        lambda: overflowing(*given),
        "The exponential overflowed: large scores gave nan. Take the "
        "largest score of a row off first, or use softmax.",
    )
    wrong["swaps-keys-and-values"] = (lambda: by_hand(q, values, keys, mask), "Keys and values were swapped.")
    tol = 1e-5 if q.dtype == torch.float64 else tol
    return Case(TASK, group, (Call("attention", given),), Expect(by_hand(*given), wrong, tol))


def drawn(
    generator: torch.Generator,
    batch: int,
    heads: int,
    kv: int,
    new: int,
    columns: int,
    size: int,
    lengths: tuple[int, ...] = (),
) -> tuple[Tensor, ...]:
    """Random q, keys, values and the causal mask of texts of these lengths."""
    q = torch.randn(batch, heads, new, size, generator=generator) * 1.5
    keys, values = (torch.randn(batch, kv, columns, size, generator=generator) for _ in range(2))
    real = left_padded(lengths or (columns,) * batch, columns).tolist()
    mask = torch.tensor(
        [
            [[sees(row, t, c, None) for c in range(columns)] for t in range(columns - new, columns)]
            for row in real
        ]
    )
    return q, keys, values, mask


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(43_000 + seed)
    made = []
    for shape in ((1, 1, 1, 1, 4, 5), (2, 3, 3, 3, 5, 6)):
        made.append(attention_case(HEADS, *drawn(generator, *shape)))
    for shape in ((1, 4, 2, 1, 5, 6), (2, 6, 2, 2, 4, 5), (1, 6, 3, 2, 3, 3), (2, 4, 1, 2, 4, 6)):
        made.append(attention_case(GROUPED, *drawn(generator, *shape)))
    made.append(attention_case(MASKED, *drawn(generator, 2, 2, 2, 5, 5, 4)))
    made.append(attention_case(MASKED, *drawn(generator, 3, 4, 2, 2, 6, 5, (2, 6, 4))))
    q, keys, values, mask = drawn(generator, 1, 4, 2, 2, 5, 5)
    made.append(
        attention_case(SIZES, q * 200, keys, values, mask, 1e-3)
    )  # float32 moves a score of 500 by 1e-4
    made.append(attention_case(SIZES, *(t.double() for t in (q, keys, values)), mask))
    made.append(attention_case(SIZES, *(t.to(torch.bfloat16) for t in (q * 0.5, keys, values)), mask))
    return made
