"""The right values of lab 1's numeric questions, and the values that known mistakes lead to.

Everything is computed when the class is graded, on the shipped model in float64, with plain loops over
Python numbers: nothing is taken from `solutions/decoding.py`. `tests/lab` computes the same with Hugging Face
and numpy.

Tolerances. A student computes in float32; that moves a value here by less than 1e-4. The notebook asks for
three decimals, so rounding moves it by at most 0.0005. `SHARE` leaves room for both; `NATS` also accepts two
decimals (0.005), since nothing wrong lies near. A count must be exact.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch

from llmlab import models
from llmlab.grading.answers import Key

PROMPT = "The cat sat on the"
LOOP_PROMPT = "Once upon a time"
LOOP_TOKENS = 180
BEAM_PROMPTS = ("Once upon a time there was a", "The cat sat on the", "The")
BEAM_TOKENS = 12
NATS = 0.006
SHARE = 0.001

BITS = "That is the value in bits: the logarithm has base 2. In nats it is the natural one."
MULTIPLIED = "The logits were multiplied by T; divide them."
CROSSING = "The token with which the sum reaches p was left out; it belongs to the set."
LOG10 = "The logarithm has base 10. In nats it is the natural one."


@functools.cache
def target() -> models.LM:
    """The shipped model in float64."""
    return models.load("target", dtype=torch.float64)


def next_logits(ids: Sequence[int]) -> list[float]:
    """The logits after these tokens, as Python floats."""
    return target().next_logits(torch.tensor([list(ids)]), None)[0].tolist()


def softmax(row: Sequence[float]) -> list[float]:
    """Probabilities of a row of logits, which may hold -inf."""
    top = max(row)
    weights = [math.exp(z - top) for z in row]
    total = math.fsum(weights)
    return [w / total for w in weights]


def entropy(p: Sequence[float]) -> float:
    """Entropy in nats."""
    return -math.fsum(x * math.log(x) for x in p if x > 0)


def ranked(row: Sequence[float]) -> list[int]:
    """Ids from the largest value to the smallest."""
    return sorted(range(len(row)), key=lambda i: -row[i])


def nucleus(p: Sequence[float], mass: float) -> list[int]:
    """The fewest most likely tokens with at least this mass."""
    kept, total = [], 0.0
    for i in ranked(p):
        kept.append(i)
        total += p[i]
        if total >= mass:
            break
    return kept


def only(row: Sequence[float], kept: Sequence[int]) -> list[float]:
    """The row with -inf everywhere else."""
    inside = set(kept)
    return [z if i in inside else -math.inf for i, z in enumerate(row)]


def entropies(row: list[float]) -> dict[str, Key]:
    """The two questions about entropy."""
    p, hot = softmax(row), softmax([z / 2 for z in row])
    one, two = entropy(p), entropy(hot)
    return {
        "entropy-t1": Key(one, NATS, {
            "bits-instead-of-nats": (one / math.log(2), BITS),
            "log10-instead-of-ln": (one / math.log(10), LOG10),
            "softmax-twice": (entropy(softmax(p)),
                              "Softmax was applied twice: that is the entropy of softmax(p), not of p."),
            "mean-instead-of-sum": (one / len(p),
                                    "The terms were averaged over the vocabulary; entropy is their sum."),
        }),
        "entropy-t2": Key(two, NATS, {
            "temperature-multiplied": (entropy(softmax([2 * z for z in row])), MULTIPLIED),
            "temperature-ignored": (one, "That is the entropy at T = 1."),
            "temperature-on-probabilities": (
                entropy(softmax([x / 2 for x in p])),
                "The probabilities were divided by T and went through softmax again; T divides the logits."),
            "log10-instead-of-ln": (two / math.log(10), LOG10),
        }),
    }


def truncations(row: list[float]) -> dict[str, Key]:
    """The two questions about truncation."""
    p = softmax(row)
    size = len(nucleus(p, 0.9))
    ascending, total, tail = sorted(p), 0.0, 0
    while total < 0.9:
        total, tail = total + ascending[tail], tail + 1
    best = ranked(row)[0]

    def chance(kept_row: list[float]) -> float:
        return softmax(kept_row)[best]

    def cut(values: list[float], k: int, mass: float) -> list[float]:
        first = only(values, ranked(values)[:k])
        return only(first, nucleus(softmax(first), mass))

    def swapped(values: list[float], k: int, mass: float) -> list[float]:
        first = nucleus(softmax(values), mass)
        return only(values, first[:k])

    hot, k, mass = [z / 1.5 for z in row], 20, 0.8
    short = nucleus(softmax(only(hot, ranked(hot)[:k])), mass)[:-1]
    return {
        "nucleus-size": Key(size, 0.25, {
            "drops-crossing-token": (size - 1, CROSSING),
            "keeps-least-likely": (tail, "The tokens were added up from the least likely on."),
            "mass-outside": (len(nucleus(p, 0.1)),
                             "That is the nucleus at p = 0.1: 0.9 is the mass kept, not removed."),
            "wrong-temperature": (len(nucleus(softmax([z / 2 for z in row]), 0.9)),
                                  "That is the nucleus at T = 2; the question asks for T = 1."),
        }),
        "first-choice": Key(chance(cut(hot, k, mass)), SHARE, {
            "not-renormalised": (chance(hot),
                                 "That is the probability before truncation: what stays must sum to 1."),
            "temperature-ignored": (chance(cut(row, k, mass)),
                                    "That is the value at T = 1: temperature comes first."),
            "temperature-multiplied": (chance(cut([z * 1.5 for z in row], k, mass)), MULTIPLIED),
            "top-p-before-top-k": (chance(swapped(hot, k, mass)),
                                   "Top-p came before top-k; the order is k, then p."),
            "drops-crossing-token": (chance(only(hot, short)), CROSSING),
        }),
    }


def greedy_text(prompt: str, count: int, banned: bool) -> list[int]:
    """`count` greedy tokens; the end of text banned, or allowed to end it."""
    lm = target()
    cache, step, new = lm.new_cache(1), torch.tensor([lm.encode(prompt)]), []
    for _ in range(count):
        row = lm.logits(step, None, cache)[0, -1].tolist()
        if banned:
            row[lm.eos_id] = -math.inf
        new.append(max(range(len(row)), key=lambda i: row[i]))
        if new[-1] == lm.eos_id:
            break
        step = torch.tensor([new[-1:]])
    return new


def repeated(ids: Sequence[int], n: int = 4) -> float:
    """Share of the n-grams that stood earlier in the text."""
    seen, again, places = set(), 0, len(ids) - n + 1
    for i in range(places):
        gram = tuple(ids[i:i + n])
        again += gram in seen
        seen.add(gram)
    return again / places


def repetition() -> dict[str, Key]:
    """The question about the loop."""
    banned = greedy_text(LOOP_PROMPT, LOOP_TOKENS, True)
    free = greedy_text(LOOP_PROMPT, LOOP_TOKENS, False)
    value = repeated(banned)
    return {"repeated-4grams": Key(value, SHARE, {
        "distinct-instead-of-repeated": (1 - value,
                                         "That is the share of distinct 4-grams; repeats are the rest."),
        "counts-prompt": (repeated(target().encode(LOOP_PROMPT) + banned),
                          "The prompt was counted too; take the new tokens only."),
        "end-of-text-allowed": (repeated(free), "The text was allowed to end: ban the end-of-text token."),
        "bigrams-counted": (repeated(banned, 2), "Those are the 2-grams; count groups of four tokens."),
    })}


def best_sum(prompt: str, beams: int, count: int) -> float:
    """The largest sum of log-probabilities that beam search finds in `count` tokens; no token ends a text."""
    start = target().encode(prompt)
    live: list[tuple[float, list[int]]] = [(0.0, [])]
    for _ in range(count):
        grown = []
        for total, tokens in live:
            p = softmax(next_logits([*start, *tokens]))
            grown += [(total + math.log(p[i]), [*tokens, i]) for i in ranked(p)[:beams]]
        live = sorted(grown, key=lambda pair: -pair[0])[:beams]
    return live[0][0]


def beam() -> dict[str, Key]:
    """The question about beam search."""
    gains = [best_sum(prompt, 4, BEAM_TOKENS) - best_sum(prompt, 1, BEAM_TOKENS) for prompt in BEAM_PROMPTS]
    four = math.fsum(gains)
    return {"beam-gain": Key(four, NATS, {
        "length-penalty-left-on": (
            four / BEAM_TOKENS,
            "The scores were divided by the length: set length_penalty=0.0 to compare sums."),
        "mean-instead-of-sum": (four / len(BEAM_PROMPTS),
                                "That is the mean over the prompts; the question asks for the sum."),
        "bits-instead-of-nats": (four / math.log(2), BITS),
        "log10-instead-of-ln": (four / math.log(10), LOG10),
        "one-prompt-only": (gains[0], "That is the gain for the first prompt; add those of the other two."),
    })}


def by_hand() -> dict[str, Key]:
    """The two questions that need no model."""
    totals, lengths = math.log(5.1 / 3.2), math.log(7 / 3)

    def first(z: tuple[float, float]) -> float:
        return 1 / (1 + math.exp(z[1] - z[0]))

    def rule(z: float) -> float:
        return z / 1.5 if z > 0 else z * 1.5

    return {
        "flip-alpha": Key(totals / lengths, SHARE, {
            "gnmt-form": (totals / math.log(12 / 8),
                          "That is the exponent of the other form, ((5 + n) / 6) ** alpha."),
            "swapped-logarithms": (lengths / totals,
                                   "The logarithms were swapped: solve a / 3**x = b / 7**x for x."),
            "no-logarithms": ((5.1 / 3.2) / (7 / 3),
                              "The exponent is a ratio of logarithms, not of the ratios themselves."),
        }),
        "multiplied": Key(first((3.0, -2.0)), SHARE, {
            "library-rule": (
                first((rule(2.0), -2.0)),
                "That is the library's rule, which divides a positive logit; the lecture multiplies."),
            "no-penalty": (first((2.0, -2.0)), "That is the probability without a penalty."),
            "penalises-every-token": (first((3.0, -3.0)), "Both were multiplied; only one has occurred."),
            "divides-every-token": (first((2 / 1.5, -2 / 1.5)),
                                    "Both were divided; the lecture multiplies the first."),
        }),
    }


@functools.cache
def answers() -> dict[str, Key]:
    """Question id -> key."""
    row = next_logits(target().encode(PROMPT))
    return {**entropies(row), **truncations(row), **repetition(), **beam(), **by_hand()}
