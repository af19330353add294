"""Checks of parameters, kv_cache_bytes and largest_batch: what a model holds, and what fits beside it."""

from __future__ import annotations

import random

from llmlab.checks.flops.verdicts import NEVER, Mistakes, Right, case
from llmlab.checks.flops.oracle import Shape, cached, draw, held
from llmlab.checks.protocol import Call, Case, Task
from llmlab.models.shapes import ACCELERATORS, MODELS

PLAIN, GROUPED, BIASED = "Llama, untied", "grouped queries, tied", "biases and positions"
TOKEN, MANY = "one token", "batch, context, width of a number"
FITS, FULL = "some fit", "none fits"
TASKS = (
    Task("flops.parameters", "lab2", "count the parameters of a model, part by part", {PLAIN: 3, GROUPED: 3, BIASED: 2},
         "part2/counting.html#sec-parameters"),
    Task("flops.kv_cache_bytes", "lab2", "count the bytes of a KV cache", {TOKEN: 2, MANY: 2},
         "part2/prefill-decode.html#sec-kv-bytes"),
    Task("flops.largest_batch", "lab2", "find how many sequences fit beside the weights", {FITS: 2, FULL: 1},
         "part2/roofline.html#sec-memory-plan"),
)
PUBLISHED = {"Llama-2-7B": 6_738_415_616, "Llama-2-13B": 13_015_864_320, "Llama-2-70B": 68_976_648_192,
             "GPT-2": 124_439_808}
"""Parameters by the published checkpoints; tests hold `oracle.held` against them."""


def parameters_case(group: str, model: Shape) -> Case:
    hidden, layers, vocab, mlp = model["hidden"], model["layers"], model["vocab"], model["mlp"]
    queries, keys = model["heads"] * model["head_dim"], model["kv_heads"] * model["head_dim"]
    norm = hidden * (2 if model["bias"] else 1)
    right = {part: held(model, part) for part in ("embeddings", "attention", "mlp", "norms", "lm_head")}
    bare = {**model, "bias": False}
    wrong: dict[str, Mistakes] = {
        "embeddings": {
            "forgets-positions": (vocab * hidden, "The learned position embedding is missing."),
            "counts-embedding-twice": (2 * vocab * hidden, "The token embedding was counted twice; lm_head has its "
                                                           "own key."),
            "always-learned-positions": ((vocab + 1024) * hidden, "This model has no learned positions."),
        },
        "attention": {
            "query-heads-for-keys": (held({**model, "kv_heads": model["heads"]}, "attention"),
                                     "K and V were counted with all heads; they have kv_heads."),
            "forgets-output-projection": (right["attention"] - layers * hidden * queries, "The output projection is "
                                                                                          "missing."),
            "one-projection-for-k-and-v": (layers * hidden * (2 * queries + keys) if keys != queries else NEVER,
                                           "K and V have a matrix each."),
            "one-layer-only": (right["attention"] // layers, "One layer was counted."),
            "forgets-biases": (held(bare, "attention"), "The biases are missing: one number for each output of a "
                                                        "map."),
            "assumes-square-projection": (4 * layers * hidden * hidden if queries != hidden else NEVER,
                                          "All four maps were taken to be hidden x hidden."),
        },
        "mlp": {
            "gated-as-two-maps" if model["gated"] else "counts-a-gate": (
                held({**model, "gated": not model["gated"]}, "mlp"),
                "A gated MLP has three matrices; two were counted." if model["gated"] else
                "This MLP has no gate: two matrices."),
            "assumes-four-times-hidden": (layers * 8 * hidden * hidden if mlp != 4 * hidden else NEVER,
                                          "The width was taken to be 4 * hidden, with two maps; it is "
                                          "model[\"mlp\"]."),
            "one-layer-only": (right["mlp"] // layers, "One layer was counted."),
            "forgets-biases": (held(bare, "mlp"), "The biases are missing: one number for each output of a map."),
            "bias-for-down-only": (held(bare, "mlp") + layers * hidden, "The map up has a bias too, of width "
                                                                        "model[\"mlp\"]."),
            "one-map-only": (layers * hidden * mlp, "One map was counted."),
        },
        "norms": {
            "forgets-last-norm": (2 * layers * norm, "The norm after the last layer is missing."),
            "one-norm-per-layer": ((layers + 1) * norm, "A layer has two norms: before attention and before the "
                                                        "MLP."),
            "forgets-norm-bias": (held(bare, "norms"), "With bias a norm has two vectors, a gain and a bias."),
            "norms-have-bias": (2 * held(bare, "norms"), "Without bias a norm has one vector, its gain."),
            "forgets-norms": (0, "The norms have parameters too."),
        },
        "lm_head": {
            "counts-tied-head": (vocab * hidden, "A tied lm_head is the token embedding; it adds no parameters."),
            "forgets-lm-head": (0, "lm_head is not tied here: it has a matrix of its own."),
            "lm-head-has-bias": (vocab * hidden + vocab, "lm_head has no bias."),
        },
    }
    call = Call("parameters", (model,))
    return case("parameters", group, call, {part: Right(right[part], wrong[part]) for part in right})


def cache_case(group: str, model: Shape, batch: int, context: int, width: float | None = None) -> Case:
    """One call; without `width` the default of 2 bytes is used."""
    size = 2 if width is None else width
    values = cached(model, batch, context)
    right = values * size
    wrong: Mistakes = {
        "keys-only": (right / 2, "Half of it is missing: a token leaves a key and a value"
                      + (", and each number takes two bytes." if size == 2 else ".")),
        "query-heads-in-cache": (cached({**model, "kv_heads": model["heads"]}, batch, context) * size,
                                 "The cache was counted with the query heads. Only kv_heads keys and values are "
                                 "kept."),
        "bits-for-bytes": (right * 8 if model["heads"] != 8 * model["kv_heads"] else NEVER, "These are bits; the "
                                                                                            "answer should be in "
                                                                                            "bytes."),
        "counts-values-not-bytes": (values if size != 2 else NEVER, "That is how many numbers there are; each takes "
                                                                    "bytes_per_value bytes."),
        "ignores-width": (values * 2, "Two bytes were taken for each number, whatever bytes_per_value says."),
        "one-layer-only": (right / model["layers"], "One layer was counted; each keeps a cache."),
        "width-of-model-times-head": (right * model["hidden"] / model["kv_heads"],
                                      "hidden * head_dim was taken for the width of the keys. It is kv_heads * "
                                      "head_dim; "
                                      "hidden already holds a head_dim."),
        "one-sequence-only": (right / batch, "One sequence was counted; each of the batch has its own cache."),
        "one-token-only": (right / context, "One token was counted; the cache keeps all of the context."),
        "forgets-head-dim": (right / model["head_dim"], "The width of a head is missing."),
    }
    call = Call("kv_cache_bytes", (model, batch, context) if width is None else (model, batch, context, width))
    return case("kv_cache_bytes", group, call, Right(right, wrong))


def batch_case(group: str, model: Shape, accelerator: dict, context: int, width: float | None = None) -> Case:
    """One call; without `width` the default of 2 bytes is used."""
    size = 2 if width is None else width
    weights, one, memory = held(model) * size, cached(model, 1, context) * size, accelerator["memory"]
    right = max(0, int((memory - weights) // one))
    many = cached({**model, "kv_heads": model["heads"]}, 1, context) * size
    exact = (memory - weights) / one
    wrong: Mistakes = {
        "batch-forgets-weights": (int(memory // one), "The weights were forgotten: they take their part of the "
                                                      "memory first."),
        "negative-batch": (int(exact // 1), "The weights alone do not fit, so the answer is 0."),
        "weights-for-every-sequence": (int(memory // (weights + one)), "Every sequence was given weights of its "
                                                                       "own. The "
                                       "batch shares them."),
        "rounds-up": (int(-(-exact // 1)), "The number was rounded up; the last sequence does not fit."),
        "fraction-of-a-sequence": (exact, "That is not a whole number; only whole sequences fit."),
        "query-heads-in-cache": (max(0, int((memory - weights) // many)), "The cache was counted with the query "
                                                                          "heads."),
        "keys-only": (int((memory - weights) // (one / 2)) if right else NEVER, "The cache was counted with keys "
                                                                                "only."),
        "one-token-only": (max(0, int((memory - weights) // (one / context))), "The context is missing: each "
                                                                               "sequence keeps "
                           "all its tokens."),
        "ignores-width": (max(0, int((memory - weights / size * 2) // (one / size * 2))),
                          "Two bytes were taken for each number, whatever bytes_per_value says."),
    }
    given = (model, accelerator, context)
    call = Call("largest_batch", given if width is None else (*given, width))
    return case("largest_batch", group, call, Right(right, wrong))


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    rng = random.Random(40_000 + seed)
    plain, grouped = draw(rng, gated=True, square=False), draw(rng, grouped=True, gated=True, tied=True, square=False)
    gpt = draw(rng, tied=True, bias=True, positions=rng.choice((512, 777)))
    made = [parameters_case(PLAIN, plain), parameters_case(PLAIN, MODELS["Llama-2-7B"]),
            parameters_case(GROUPED, grouped), parameters_case(GROUPED, MODELS["Llama-2-70B"]),
            parameters_case(BIASED, gpt), parameters_case(BIASED, MODELS["GPT-2"])]
    made += [cache_case(TOKEN, plain, 1, 1), cache_case(TOKEN, MODELS["Llama-2-70B"], 1, 1),
             cache_case(MANY, grouped, 4, rng.choice((97, 113))), cache_case(MANY, grouped, 4, 41, 1),
             cache_case(MANY, plain, 7, 31, 0.5)]
    chip = ACCELERATORS["H100 SXM"]
    made += [batch_case(FITS, MODELS["Llama-2-13B"], chip, 1024), batch_case(FITS, MODELS["Llama-3.1-8B"], chip, 5000),
             batch_case(FITS, grouped, {"memory": 6 * held(grouped)}, rng.choice((29, 37)), 1),
             batch_case(FULL, MODELS["Llama-2-70B"], chip, 1024),
             batch_case(FULL, plain, {"memory": 2 * held(plain) + cached(plain, 1, 51)}, 51)]
    return made
