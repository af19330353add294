"""The right values of lab 3's numeric questions, and the values that known mistakes lead to.

Two come from the shipped model in float64, by passes over whole texts without any cache; nothing is taken from
`solutions/kv_cache.py`. The others are counted out. `tests/lab` computes the same with Hugging Face's model.

Tolerances. A student computes in float32, which moves a value by less than 1e-4, and gives three decimals. `NATS`
also accepts two decimals. Counts are exact.
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F

from llmlab import models
from llmlab.grading.answers import Key
from llmlab.models.parts import Parts

NINE = "Once upon a time there was a little girl named Mira"
TEXT = "47 + 38\n7 + 8 = 15, write 5, carry 1\n4 + 3 + 1 = 8, write 8\n47 + 38 = 85"
FIRST = 5
"""Tokens of the first pass."""
EXACT, SHARE, NATS = 0.25, 0.006, 0.006
LAYERS, KV_HEADS, HEADS, SIZE = 4, 4, 8, 32


@functools.cache
def target() -> Parts:
    """The shipped model in float64."""
    return Parts("target", torch.float64)


def keys_of(ids: torch.Tensor) -> list[torch.Tensor]:
    """The keys of every layer in a pass where every token sees every other."""
    model, found = target(), []
    x, where = model.embed(ids), torch.arange(ids.shape[1]).expand_as(ids)
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where)
        found.append(k)
        x = model.finish(layer, x, F.scaled_dot_product_attention(q, k, v, enable_gqa=True))
    return found


def bidirectional() -> Key:
    ids = torch.tensor([encoded(NINE)[:9]])
    pairs = zip(keys_of(ids[:, :8]), keys_of(ids), strict=True)
    changed = sum(bool((short - long[:, :, :8]).abs().max() > 1e-4) for short, long in pairs)
    return Key(
        changed,
        EXACT,
        {
            "every-layer": (
                LAYERS,
                "The keys of the first layer are made of the embeddings alone; no other token has had "
                "a say in them yet.",
            ),
            "no-layer": (
                0,
                "That is so with the causal mask. Without it, the first attention mixes the new token in.",
            ),
            "first-layer-only": (
                1,
                "It is the other way round: the first layer's keys stay, those after it change.",
            ),
        },
    )


@functools.cache
def encoded(text: str) -> list[int]:
    return models.load("target").encode(text)


def mean_cost(restarted: bool, first: int = FIRST, start: int = FIRST) -> float:
    """Mean nats of the tokens from `start` on; with positions that start again behind the first pass, if so.

    In one pass over the whole text: the keys of a decoded token are turned by position 0, so is its query.
    """
    model, ids = target(), torch.tensor([encoded(TEXT)])
    where = torch.arange(ids.shape[1])
    if restarted:
        where = torch.where(where < first, where, 0)
    x = model.embed(ids)
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where[None])
        x = model.finish(layer, x, F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True))
    logp = model.logits(x)[0, :-1].log_softmax(-1)
    cost = -logp.gather(1, ids[0, 1:, None])[:, 0]
    return float(cost[start - 1 :].mean())


def restart() -> Key:
    value, right = mean_cost(True), mean_cost(False)
    count = len(encoded(TEXT)) - FIRST
    return Key(
        value,
        NATS,
        {
            "positions-not-restarted": (
                right,
                "That is the cost with the right positions. Use Restarted(lm).",
            ),
            "bits-instead-of-nats": (value / math.log(2), "That is in bits: the logarithm has base 2."),
            "sum-instead-of-mean": (
                value * count,
                "The costs were added up; the question asks for their mean.",
            ),
            "whole-text": (
                mean_cost(True, start=1),
                "The mean runs over the whole text. Take the last 44 tokens.",
            ),
            "every-position-zero": (
                mean_cost(True, first=1),
                "Every token got position 0, the prompt's too. The first pass "
                "of 5 tokens has positions 0 to 4.",
            ),
        },
    )


def counted() -> dict[str, Key]:
    """The questions that need no model."""
    token = 2 * LAYERS * KV_HEADS * SIZE * 4
    copied = sum(16 * 2**i for i in range(6))  # 16 -> 32 -> ... -> 1024
    prompt, new, window = 10, 50, 16
    off, on = sum(prompt + i for i in range(new)), prompt + new - 1
    return {
        "cache-bytes": Key(
            token,
            EXACT,
            {
                "one-of-keys-and-values": (
                    token / 2,
                    "Only half: a token has a key and a value, of 4 bytes a number.",
                ),
                "query-heads": (
                    token * HEADS // KV_HEADS,
                    "That is with 8 heads. The cache has the 4 key-value heads.",
                ),
                "width-times-head-width": (
                    2 * LAYERS * HEADS * SIZE * SIZE * 4,
                    "The model's width was multiplied by the "
                    "width of a head. It is key-value heads times width of a head.",
                ),
                "one-layer": (
                    token / LAYERS,
                    "That is one layer. Every layer has keys and values of its own.",
                ),
            },
        ),
        "growth-copied": Key(
            copied,
            EXACT,
            {
                "grows-by-one": (sum(range(16, 1000)), "That is a room that grows by one token each time."),
                "counts-first-writing": (
                    copied + 1000,
                    "The first writing of each token was counted; it is no copy.",
                ),
                "counts-a-growth-too-many": (
                    copied + 1024,
                    "At 1,024 the room is not used up: only 1,000 tokens come.",
                ),
                "last-growth-only": (512, "That is the last growth. Add the earlier ones."),
                "counts-new-rooms": (
                    copied * 2,
                    "Those are the sizes of the new rooms. Only what was in the old ones is copied.",
                ),
            },
        ),
        "rollback-length": Key(
            14,
            EXACT,
            {
                "keeps-the-chosen-token": (
                    15,
                    "The token chosen instead is not in the cache: it was never fed.",
                ),
                "keeps-the-draft": (17, "That is everything: the three rejected tokens would stay."),
                "counts-what-goes": (
                    3,
                    "That is the number of tokens to take away. truncate is told how many stay.",
                ),
                "forgets-the-accepted": (
                    12,
                    "The two accepted tokens stay: they are right and have been computed.",
                ),
            },
        ),
        "rows-ratio": Key(
            off / on,
            SHARE,
            {
                "feeds-the-last-token": (
                    off / (on + 1),
                    "60 rows with a cache: the last new token was fed, but nobody asks what follows it.",
                ),
                "prompt-left-out": (sum(range(1, new + 1)) / new, "The prompt's rows were left out."),
                "one-row-too-many-each": (
                    sum(prompt + i + 1 for i in range(new)) / on,
                    "Each pass without a cache was counted one row too long: the first has 10.",
                ),
                "upside-down": (on / off, "That is the other way round."),
            },
        ),
        "window-reach": Key(
            LAYERS * (window - 1) + 1,
            EXACT,
            {
                "layers-times-window": (
                    LAYERS * window,
                    "Each layer adds window - 1 new tokens: the windows overlap by one, the token itself.",
                ),
                "one-layer": (
                    window,
                    "That is one layer. The next one sees tokens that have seen further back.",
                ),
                "leaves-out-itself": (LAYERS * (window - 1), "The token itself counts too."),
            },
        ),
    }


@functools.cache
def answers() -> dict[str, Key]:
    """Question id -> key."""
    return {"bidirectional-layers": bidirectional(), "restart-nats": restart(), **counted()}
