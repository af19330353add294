"""The right values of lab 2's numeric questions, and the values that known mistakes lead to.

Plain arithmetic on the published shapes, written out here: nothing is taken from `solutions/flops.py` or from
`llmlab.models.shapes`. `tests/lab` computes the same from Hugging Face's models and torch's FLOP counter.

Tolerances. The notebook asks for three decimals, so rounding moves a value by at most 0.0005. A throughput may be
read off a very large batch instead of the limit, or be given without decimals: half a percent. A count is exact.
"""

from __future__ import annotations

import functools
import math

from llmlab.grading.answers import Key

PEAK, BANDWIDTH = 989e12, 3.35e12
SHARE, EXACT = 0.001, 0.25
TWO = "The factor 2 (a multiplication and an addition) is missing somewhere, or doubled."


def square_share() -> Key:
    """Llama-3.1-8B: width 4096, 32 query heads and 8 kv heads of 128, gated MLP of width 14336."""
    s, d, inner = 8192, 4096, 14336

    def share(square: float, kv: int = 8 * 128, maps: int = 3) -> float:
        linear = 2 * d * (2 * d + 2 * kv) + 2 * maps * d * inner
        return square / (square + linear)

    both = 4 * s * d
    return Key(share(both), SHARE, {
        "causal-halving": (share(both / 2), "Half of scores and values is missing: the mask saves nothing by the "
                           "convention, and there are two products."),
        "kv-heads-for-scores": (share(both / 4), "Scores and values were counted with the kv heads; every query head "
                                "has its own."),
        "gated-as-two-maps": (share(both, maps=2), "A gated MLP has three maps; two were counted."),
        "query-heads-for-keys": (share(both, kv=d), "Keys and values were projected with all heads; there are 8."),
        "share-of-attention": (both / (both + 2 * d * (2 * d + 2 * 1024)), "That is the share within attention; the "
                               "layer has an MLP too."),
        "ratio-to-the-rest": (both / (2 * d * (2 * d + 2048) + 6 * d * inner), "That is the ratio to the rest, not "
                              "the share of the whole."),
    })


def llama_70b(kv: int = 8) -> tuple[int, int]:
    """(parameters in the products of a pass, all parameters) of Llama-2-70B."""
    d, inner = 8192, 28672
    layer = 2 * d * d + 2 * d * kv * 128 + 3 * d * inner
    head = 32000 * d
    return 80 * layer + head, 80 * (layer + 2 * d) + d + 2 * head


def flops_per_parameter() -> Key:
    used, all_of_them = llama_70b()
    square = 4 * 4096 * 8192 * 80  # scores and values, per token
    value = (2 * used + square) / all_of_them
    return Key(value, SHARE, {
        "training": (3 * value, "That is forward and backward together, the lecture's 6. A forward pass is a third."),
        "rule-of-thumb": (2.0, "That is the rule of thumb; count scores and values too."),
        "forgets-scores": (2 * used / all_of_them, "Scores and values are missing."),
        "causal-halving": ((2 * used + square / 2) / all_of_them, "Half of scores and values is missing."),
        "lm-head-at-last-position": ((2 * (used - 32000 * 8192) + square + 2 * 32000 * 8192 / 4096) / all_of_them,
                                     "lm_head was counted at the last position; the question asks for all."),
        "forgets-factor-two": (value / 2, TWO),
    })


def gpt2_pass(new: int, context: int, logits: int = 1) -> int:
    d = 768
    return 12 * (24 * new * d * d + 4 * new * context * d) + 2 * logits * d * 50257


def cache_gain() -> Key:
    prompt, tokens = 10, 100

    def total(cache: bool, passes: int = tokens - 1, everywhere: bool = False) -> int:
        later = range(prompt + 1, prompt + passes + 1)
        first = gpt2_pass(prompt, prompt, prompt if everywhere else 1)
        return first + sum(gpt2_pass(1, n) if cache else gpt2_pass(n, n, n if everywhere else 1) for n in later)

    first = gpt2_pass(prompt, prompt)
    value = total(False) / total(True)
    return Key(value, 0.006, {
        "decode-only": ((total(False) - first) / (total(True) - first), "The prefill is missing on both sides."),
        "one-pass-too-many": (total(False, tokens) / total(True, tokens), "One pass too many: the first token comes "
                              "from the prefill."),
        "lm-head-at-all-positions": (total(False, everywhere=True) / total(True, everywhere=True),
                                     "lm_head was counted at every position; the last one is enough."),
        "inverted": (1 / value, "Turn it over: without the cache by with it."),
    })


def kv_gib() -> Key:
    value = 2 * 80 * 8 * 128 * 2 * 16 * 4096 / 2**30
    return Key(value, SHARE, {
        "lecture-double-counts": (value * 1024, "That is the lecture's product of the width and head_dim."),
        "query-heads-in-cache": (value * 8, "The cache was counted with 64 heads; 8 are kept. (Or the answer is in "
                                            "Gibit.)"),
        "sixteen-kv-heads": (value * 2, "The model has 8 kv heads, not 16 as a lecture says; K and V are two "
                                        "vectors."),
        "keys-only": (value / 2, "A token leaves a key and a value, of 2 bytes a number."),
        "one-sequence": (value / 16, "That is one sequence; there are 16."),
        "gb-for-gib": (value * 2**30 / 1e9, "Those are GB; a GiB has 2**30 bytes."),
    })


def compute_bound_rows() -> Key:
    d, inner, ridge = 4096, 11008, PEAK / BANDWIDTH

    def border(weight: float) -> int:
        """From B D F 2 / (2 B D + 2 B F + w D F) >= ridge."""
        return math.ceil(ridge * weight * d * inner / (2 * d * inner - 2 * ridge * (d + inner)))

    return Key(border(2), EXACT, {
        "limit-for-few-rows": (math.ceil(ridge), "That is the ridge. The intensity is below the number of rows, "
                                                 "because "
                               "activations and result are moved too."),
        "last-memory-bound": (border(2) - 1, "With this many rows the intensity is still below the ridge."),
        "square-matrix": (math.ceil(ridge * d / (d - 2 * ridge)), "That is the border of a square matrix of 4096."),
        "forgets-result": (math.ceil(ridge * d * inner / (d * inner - ridge * d)), "The result is missing from the "
                                                                                   "bytes, or "
                           "the activations are."),
        "one-byte-weights": (border(1), "The weights were counted with 1 byte a number."),
    })


def throughput_limit() -> Key:
    cache = 2 * 32 * 8 * 128 * 2 * 2048
    weights = 2 * 8_030_261_248
    value = BANDWIDTH / cache
    fits = (80e9 - weights) // cache
    return Key(value, 0.005 * value, {
        "query-heads-in-cache": (value / 4, "The cache was counted with 32 heads; 8 are kept."),
        "largest-that-fits": (fits * BANDWIDTH / (weights + fits * cache), "That is at the largest batch that fits "
                                                                           "into "
                              "80 GB; the question lets the memory be endless."),
        "batch-of-one": (BANDWIDTH / (weights + cache), "That is a batch of one."),
        "keys-only": (2 * value, "A token leaves a key and a value, of 2 bytes a number."),
        "one-token-of-context": (2048 * value, "The context is missing: each sequence keeps 2,048 tokens."),
        "arithmetic-only": (PEAK / (2 * 8_030_261_248), "That is what the arithmetic would allow; the transfer is "
                                                        "slower."),
    })


def batch_on_a100() -> Key:
    weights, one = 2 * 13_015_864_320, 2 * 40 * 40 * 128 * 2 * 2048
    value = int((80e9 - weights) // one)
    return Key(value, EXACT, {
        "forgets-weights": (int(80e9 // one), "The weights were forgotten; they take their part of the memory "
                                              "first."),
        "rounds-up": (value + 1, "The last sequence does not fit."),
        "half-the-context": (int((80e9 - weights) // (one / 2)), "That is for half the cache: a key and a value, "
                                                                 "2,048 "
                             "tokens, 2 bytes a number."),
        "gib-for-gb": (int((80 * 2**30 - weights) // one), "The memory was taken as 80 GiB; the data sheet says 80 "
                                                           "GB."),
        "eight-kv-heads": (int((80e9 - weights) // (one / 5)), "That is with 8 kv heads; this model has 40."),
    })


def total_time() -> Key:
    ttft, tpot, tokens = 0.8, 0.045, 120
    return Key(ttft + tpot * (tokens - 1), 0.006, {
        "multiplies-by-tokens": (ttft + tpot * tokens, "That is the lecture's formula: TTFT already holds the first "
                                                       "token."),
        "forgets-ttft": (tpot * (tokens - 1), "The wait for the first token is missing."),
        "only-tokens": (tpot * tokens, "The wait for the first token is missing, and there are 119 gaps."),
        "two-less": (ttft + tpot * (tokens - 2), "120 tokens have 119 gaps between them."),
    })


@functools.cache
def answers() -> dict[str, Key]:
    """Question id -> key."""
    return {"square-share": square_share(), "flops-per-parameter": flops_per_parameter(), "cache-gain": cache_gain(),
            "kv-gib": kv_gib(), "compute-bound-rows": compute_bound_rows(), "throughput-limit": throughput_limit(),
            "batch-on-a100": batch_on_a100(), "total-time": total_time()}
