"""The right values of lab 5's numeric questions, and the values that known mistakes lead to.

Plain arithmetic, and the shipped models in float64; nothing is taken from `solutions/speculative.py` or
`solutions/medusa.py`. Drafts at T = 0 are counted out on the greedy text: a guess is accepted if the text goes on
with it. `tests/lab` computes all of it again by other code.

Tolerances. The notebook asks for four decimals of a share and three of the break-even rate; float32 moves a value by
less than 1e-5, and no choice of the texts in question is closer than 0.01 in the logits. A count is exact.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor

from llmlab import models
from llmlab.grading.answers import Key
from llmlab.models.medusa import load_heads
from llmlab.models.parts import Parts

EXACT, SHARE = 0.25, 0.0006
TEXT = ('{"name": "Mira", "age": 7, "city": "Beijing", "job": "fisher", '
        '"pets": ["fish", "frog", "fox"], "married": false}')
PROMPT = '{"name": "Mira", "age": 7, "city":'


def equal_rule() -> dict[str, Key]:
    """The lecture's rule on four tokens: keep x if the target drew the same, else draw from the residual."""
    p, q = ([Fraction(n, 20) for n in row] for row in ((10, 6, 3, 1), (4, 10, 2, 4)))
    left = [max(a - b, Fraction(0)) for a, b in zip(p, q, strict=True)]
    same = sum(a * b for a, b in zip(p, q, strict=True))

    def off(kept: list[Fraction], other: list[Fraction]) -> float:
        rest = 1 - sum(kept)
        return float(sum(abs(k + rest * o - a) for k, o, a in zip(kept, other, p, strict=True)) / 2)

    agreed, residual = [a * b for a, b in zip(p, q, strict=True)], [one / sum(left) for one in left]
    right = off(agreed, residual)
    overlap = [min(a, b) for a, b in zip(p, q, strict=True)]
    return {"equal-rule-tv": Key(right, SHARE, {
        "no-half": (2 * right, "That is the whole sum of differences. Total variation is half of it."),
        "other-draw-from-p": (off(agreed, p), "In place of a rejected token you drew from p; take the residual."),
        "resamples-from-p": (off(overlap, p), "That is min(1, p/q) with a draw from p after a rejection."),
        "accepts-everything": (off(q, p), "That is the distance of q from p: nothing was rejected."),
        "chance-to-agree": (float(same), "That is the chance that both draw the same token, not a distance."),
    })}


@functools.cache
def laws(name: str) -> Tensor:
    """Logits (48, V) after every token of TEXT, float64."""
    lm = models.load(name, torch.float64)
    return lm.logits(torch.tensor([lm.encode(TEXT)]))[0]


def mean_alpha() -> dict[str, Key]:
    def overlap(hot: float = 0.7, cold: float = 0.7) -> float:
        p, q = (laws("target") / hot).softmax(-1), (laws("draft") / cold).softmax(-1)
        return float(torch.minimum(p, q).sum(-1).mean())

    agree = float((laws("target").argmax(-1) == laws("draft").argmax(-1)).double().mean())
    return {"mean-alpha": Key(overlap(), SHARE, {
        "temperature-one": (overlap(1, 1), "That is at T = 1; the question asks for 0.7."),
        "only-the-target": (overlap(0.7, 1), "The draft must have the same temperature: q is what it draws from."),
        "only-the-draft": (overlap(1, 0.7), "The target must have the same temperature: p is what is written."),
        "rejected-instead": (1 - overlap(), "That is the share that is rejected."),
        "greedy-agreement": (agree, "That is how often both have the same first choice, the rate at T = 0."),
    })}


def solved(tokens: Callable[[float], float], wanted: float) -> float:
    """The rate at which `tokens`, which grows with it, has this value."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if tokens(middle) > wanted else (middle, high)
    return low


def on_paper() -> dict[str, Key]:
    def tokens(alpha: float, gamma: int) -> float:
        return (1 - alpha ** (gamma + 1)) / (1 - alpha)

    six, busy = tokens(0.75, 6), tokens(0.8, 4) / (4 * 0.1 + 3.6)
    return {
        "tokens-at-six": Key(six, 0.002, {
            "k-times-alpha": (6 * 0.75, "That is k times the rate. A token counts only if those before it do."),
            "forgets-the-bonus": (tokens(0.75, 5), "After six acceptances a seventh token is free."),
            "accepted-only": (six - 1, "Those are the accepted ones. Each pass adds one token more."),
            "one-too-many": (tokens(0.75, 7), "That is one term too many: it is the number for seven drafted tokens."),
        }),
        "break-even-alpha": Key(solved(lambda a: tokens(a, 4), 2.0), 0.0015, {
            "k-times-alpha": (0.5, "That is with k times the rate as the number of tokens."),
            "forgets-the-bonus": (solved(lambda a: tokens(a, 3), 2.0), "One term is missing: the bonus token."),
            "accepted-only": (solved(lambda a: tokens(a, 4) - 1, 2.0), "Every pass adds one token more."),
            "one-draft-pass": (solved(lambda a: tokens(a, 4), 1.25), "There are four draft passes, not one."),
            "draft-alone": (0.25, "That is the cost ratio itself."),
        }),
        "busy-speedup": Key(busy, 0.002, {
            "memory-bound": (tokens(0.8, 4) / 1.4, "That is with a pass that costs 1, as when memory decides."),
            "forgets-the-draft": (tokens(0.8, 4) / 3.6, "The four draft passes cost something too."),
            "k-times-alpha": (4 * 0.8 / 4.0, "That is with k times the rate as the number of tokens."),
            "upside-down": (1 / busy, "That is the other way round: how many times slower."),
            "one-draft-pass": (tokens(0.8, 4) / 3.7, "There are four draft passes, not one."),
        }),
    }


@functools.cache
def greedy() -> tuple[list[int], int, Tensor]:
    """Prompt and 100 greedy tokens; the prompt's length; the stream (T, D) after the last layer at each of them."""
    model, ids = Parts("target", torch.float64), models.load("target").encode(PROMPT)
    start, lm = len(ids), models.load("target", torch.float64)
    cache, step = lm.new_cache(), ids
    for _ in range(100):
        step = [int(lm.logits(torch.tensor([step]), cache=cache)[0, -1].argmax())]
        ids = ids + step
    x, where = model.embed(torch.tensor([ids])), torch.arange(len(ids))[None]
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where)
        x = model.finish(layer, x, F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True))
    return ids, start, x[0]


def looked_up(n: int, gamma: int, count: int = 80) -> int:
    """Passes until `count` tokens are written, with guesses from what followed the same tokens before."""
    text, start, _ = greedy()
    end, passes = start, 0
    while end < start + count:
        guess: list[int] = []
        for size in range(n, 0, -1):
            places = [i for i in range(end - size) if text[i:i + size] == text[end - size:end]]
            if places:
                guess = text[places[-1] + size:min(end, places[-1] + size + gamma)]
                break
        guess += [guess[-1] if guess else text[end - 1]] * (gamma - len(guess))
        right = 0
        while right < gamma and guess[right] == text[end + right]:
            right += 1
        end, passes = end + right + 1, passes + 1
    return passes


def lookup_passes() -> dict[str, Key]:
    return {"lookup-passes": Key(looked_up(2, 5), EXACT, {
        "looks-up-three": (looked_up(3, 5), "That is with the last three tokens; take two."),
        "four-drafted": (looked_up(2, 4), "That is with four drafted tokens a pass; take five."),
        "plain": (80, "That is plain decoding, a pass for each token."),
        "sixty-tokens": (looked_up(2, 5, 60), "That is for 60 tokens; write 80."),
    })}


def tree_passes(tops: tuple[int, ...], count: int = 61) -> int:
    """Passes over a tree: the next tokens are accepted as long as each is among the head's first choices."""
    text, start, x = greedy()
    model, heads = Parts("target", torch.float64), load_heads(torch.float64)
    said = torch.cat([model.logits(x[None] + F.silu(x[None] @ head.T)) for head in heads])  # (3, T, V)
    root, passes = start, 0
    while root - start + 1 < count:
        right = 0
        for head, top in enumerate(tops):
            if text[root + 1 + head] not in said[head, root - 1].topk(top).indices.tolist():
                break
            right += 1
        root, passes = root + right + 1, passes + 1
    return passes


def medusa_passes() -> dict[str, Key]:
    return {"medusa-passes": Key(tree_passes((4, 2, 1)), EXACT, {
        "no-branches": (tree_passes((1, 1, 1)), "That is a tree without branches; take tops (4, 2, 1)."),
        "one-head": (tree_passes((4,)), "That is with the first head alone; take tops (4, 2, 1)."),
        "tops-backwards": (tree_passes((1, 2, 4)), "The tops are in the wrong order: the first head has 4."),
        "plain": (60, "That is plain decoding, a pass for each token after the prompt's."),
    })}


def typical_tv() -> dict[str, Key]:
    """Epsilon 0.09, delta 0.3, T = 1."""
    def off(temperature: float = 1.0) -> tuple[float, float, float]:
        """Mean distances from p of what is written and of q, and the mean share of rejected drafts."""
        p, q = ((laws(name) / temperature).softmax(-1) for name in ("target", "draft"))
        bar = (0.3 * (p * p.log()).sum(-1, keepdim=True).exp()).clamp(max=0.09)
        kept = torch.where(p > bar, q, 0.0)
        rest = 1 - kept.sum(-1, keepdim=True)
        written = kept + rest * p
        return *(float((law - p).abs().sum(-1).mean() / 2) for law in (written, q)), float(rest.mean())

    right, unchecked, rejected = off()
    return {"typical-tv": Key(right, SHARE, {
        "no-half": (2 * right, "That is the whole sum of differences. Total variation is half of it."),
        "accepts-everything": (unchecked, "That is the distance of q from p."),
        "rejected-share": (rejected, "That is how often a token is rejected."),
        "colder": (off(0.7)[0], "That is at T = 0.7; this question asks for T = 1."),
    })}


@functools.cache
def answers() -> dict[str, Key]:
    """Question id -> key."""
    return {**equal_rule(), **mean_alpha(), **on_paper(), **lookup_passes(), **medusa_passes(), **typical_tv()}
