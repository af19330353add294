"""What a model of a given shape multiplies and holds, one matrix at a time. Nothing is derived in closed form.

`products` lists every matrix product of one forward pass, `tensors` every learned tensor; the expected values of the
checks are sums over them. tests/checks holds both against Hugging Face's own models and torch's FlopCounterMode.
"""

from __future__ import annotations

import random
from typing import Any

Shape = dict[str, Any]
Product = tuple[str, int, int, int, int]
"""Name, how many times, and (m, n, p) of a product (m, n) x (n, p)."""


def attention_products(model: Shape, batch: int, new: int, context: int) -> list[Product]:
    """The products of one layer's attention; scores and values one query head and sequence at a time."""
    width, size = model["hidden"], model["head_dim"]
    per_head = batch * model["heads"]
    return [("q", model["heads"], batch * new, width, size), ("k", model["kv_heads"], batch * new, width, size),
            ("v", model["kv_heads"], batch * new, width, size), ("scores", per_head, new, size, context),
            ("values", per_head, new, context, size), ("output", model["heads"], batch * new, size, width)]


def mlp_products(model: Shape, tokens: int) -> list[Product]:
    """The products of one layer's MLP."""
    width, inner = model["hidden"], model["mlp"]
    gate = [("gate", 1, tokens, width, inner)] if model["gated"] else []
    return [*gate, ("up", 1, tokens, width, inner), ("down", 1, tokens, inner, width)]


def products(model: Shape, batch: int, new: int, context: int, logits: int) -> list[Product]:
    """The products of one forward pass."""
    layer = attention_products(model, batch, new, context) + mlp_products(model, batch * new)
    return layer * model["layers"] + [("lm_head", 1, batch * logits, model["hidden"], model["vocab"])]


def flops(listed: list[Product], *names: str) -> int:
    """Sum of 2 m n p over the products of these names (all if none is given)."""
    return sum(2 * times * m * n * p for name, times, m, n, p in listed if not names or name in names)


def tensors(model: Shape) -> list[tuple[str, tuple[int, ...]]]:
    """(part, shape) of every learned tensor."""
    width, bias = model["hidden"], model["bias"]
    queries, keys = model["heads"] * model["head_dim"], model["kv_heads"] * model["head_dim"]
    into = ["gate", "up"] if model["gated"] else ["up"]
    maps = [("attention", queries, width), ("attention", keys, width), ("attention", keys, width),
            ("attention", width, queries), *(("mlp", model["mlp"], width) for _ in into), ("mlp", width, model["mlp"])]
    norm = [("norms", (width,))] * (2 if bias else 1)
    layer: list[tuple[str, tuple[int, ...]]] = []
    for part, out, inp in maps:
        layer += [(part, (out, inp))] + ([(part, (out,))] if bias else [])
    layer += norm * 2
    head = [] if model["tied"] else [("lm_head", (model["vocab"], width))]
    return [("embeddings", (model["vocab"], width)), ("embeddings", (model["positions"], width)),
            *(layer * model["layers"]), *norm, *head]


def held(model: Shape, *parts: str) -> int:
    """How many numbers the tensors of these parts hold (of all parts if none is given)."""
    total = 0
    for part, shape in tensors(model):
        if not parts or part in parts:
            count = 1
            for size in shape:
                count *= size
            total += count
    return total


def cached(model: Shape, batch: int, context: int) -> int:
    """How many numbers a KV cache holds, counted layer by layer."""
    return sum(batch * model["kv_heads"] * context * model["head_dim"] for _ in range(model["layers"]) for _ in "kv")


def draw(rng: random.Random, *, grouped: bool = False, gated: bool = False, tied: bool = False, bias: bool = False,
         positions: int = 0, square: bool = True) -> Shape:
    """A small model of odd sizes, so that mistakes lead to different numbers (with a batch of 4, too).

    Not `square`: heads * head_dim is not hidden.
    """
    kv_heads = rng.choice((3, 5))
    heads = kv_heads * (rng.choice((3, 7)) if grouped else 1)
    size = rng.choice((8, 14, 22))
    hidden = heads * size if square else heads * size + rng.choice((10, 26))
    return {"layers": rng.choice((11, 13)), "hidden": hidden, "heads": heads, "kv_heads": kv_heads, "head_dim": size,
            "mlp": rng.choice((131, 197, 283)), "gated": gated, "vocab": rng.choice((1013, 2003)), "tied": tied,
            "positions": positions, "bias": bias}
