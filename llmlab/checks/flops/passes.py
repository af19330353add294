"""Checks of forward_flops and generation_flops: whole passes, and the passes that a generated text needs."""

from __future__ import annotations

import random

from llmlab.checks.flops.layers import HALF
from llmlab.checks.flops.verdicts import Mistakes, Right, case
from llmlab.checks.flops.oracle import Shape, draw, flops, held, products
from llmlab.checks.protocol import Call, Case, Task

LAST, STEP, ALL, KINDS = "prefill, last logits", "decode step", "all logits", "grouped, gated, tied"
CACHED, PLAIN, EDGES = "with a cache", "without a cache", "one and two tokens"
TASKS = (
    Task("flops.forward_flops", "lab2", "count the FLOPs of one forward pass of the whole model",
         {LAST: 2, STEP: 2, ALL: 1, KINDS: 2}, "part2/counting.html#sec-forward-flops"),
    Task("flops.generation_flops", "lab2", "count the FLOPs of generating a text, with a KV cache and without",
         {CACHED: 3, PLAIN: 3, EDGES: 2}, "part2/prefill-decode.html#sec-generation-flops"),
)


def forward(model: Shape, batch: int, new: int, context: int, logits: int = 1) -> int:
    return flops(products(model, batch, new, context, logits))


def forward_case(group: str, model: Shape, batch: int, new: int, context: int, logits: int | None = None) -> Case:
    """One call; without `logits` the default, 1, is used."""
    kept = 1 if logits is None else logits
    listed = products(model, batch, new, context, kept)
    right, head, square = flops(listed), flops(listed, "lm_head"), flops(listed, "scores", "values")
    names = {name for name, *_ in listed}
    kv = {**model, "heads": model["kv_heads"], "hidden": model["hidden"]}
    wrong: Mistakes = {
        "forgets-factor-two": (right // 2, HALF),
        "lm-head-forgotten": (right - head, "lm_head is missing: turning the last vector into V logits is a product "
                                            "too, "
                              "whether its matrix is tied or not."),
        "lm-head-at-all-positions": (forward(model, batch, new, context, new),
                                     "lm_head was counted at every position. The argument `logits` says at how "
                                     "many: to "
                                     "generate, the last one is enough."),
        "lm-head-at-last-position-only": (forward(model, batch, new, context, 1),
                                          "lm_head was counted once per sequence. The argument `logits` says at how "
                                          "many "
                                          "positions it is applied."),
        "lm-head-once-for-the-batch": (right - head + head // batch, "lm_head was counted for one sequence of the "
                                                                     "batch."),
        "one-layer-only": (flops(products({**model, "layers": 1}, batch, new, context, kept)),
                           "One layer was counted; there are model[\"layers\"]."),
        "lm-head-in-every-layer": (right + (model["layers"] - 1) * head,
                                   "lm_head was counted in every layer; it is applied once, at the end."),
        "causal-halving": (right - square // 2, "Half of scores and values is missing: the convention counts what a "
                                                "causal "
                           "mask hides, and two products, not one."),
        "decode-recomputes-context": (forward(model, batch, context, context, kept),
                                      "Every token of the context was computed. Only the new ones are; the older "
                                      "ones are "
                                      "in the cache."),
        "ignores-older-tokens": (forward(model, batch, new, new, kept), "The older tokens of the context are "
                                                                        "missing from "
                                 "scores and values."),
        "two-flops-per-parameter": (2 * held(model) * batch * new, "That is the rule of thumb, 2 FLOPs per "
                                                                   "parameter and "
                                    "token. Count the products."),
        "six-flops-per-parameter": (6 * held(model) * batch * new, "6 FLOPs per parameter and token is the rule of "
                                                                   "thumb "
                                    "for training, forward and backward. Count the products of a forward pass."),
        "counts-embedding-lookup": (right + flops([("", 1, batch * new, model["vocab"], model["hidden"])]),
                                    "The embedding was counted as a matrix product; a row is looked up, which costs "
                                    "nothing."),
        "mlp-of-one-sequence": (right - flops(listed, "up", "gate", "down") * (batch - 1) // batch,
                                "The MLP was counted for one sequence of the batch."),
        "forgets-attention": (flops(listed, *(names - {"q", "k", "v", "scores", "values", "output"})),
                              "Attention is missing."),
        "forgets-scores-and-values": (right - square, "Scores and values are missing."),
        "kv-heads-for-queries": (flops(products(kv, batch, new, context, kept)),
                                 "The number of kv heads was used for queries too."),
        "query-heads-for-keys": (forward({**model, "kv_heads": model["heads"]}, batch, new, context, kept),
                                 "The number of query heads was used for keys and values too."),
        "gated-as-two-maps": (forward({**model, "gated": False}, batch, new, context, kept),
                              "A gated MLP has three maps; two were counted."),
    }
    call = Call("forward_flops", (model, batch, new, context), {} if logits is None else {"logits": logits})
    return case("forward_flops", group, call, Right(right, wrong))


def decode(model: Shape, lengths: range, cache: bool, logits: int = 1) -> int:
    """FLOPs of one pass for each of these context lengths."""
    return sum(forward(model, 1, 1 if cache else n, n, logits if cache or logits == 1 else n) for n in lengths)


def generation_case(group: str, model: Shape, prompt: int, tokens: int, cache: bool) -> Case:
    lengths = range(prompt + 1, prompt + tokens)
    prefill, right = forward(model, 1, prompt, prompt), decode(model, lengths, cache)
    other = decode(model, lengths, not cache)
    everywhere = sum(forward(model, 1, n, n, n) for n in lengths)
    wrong: Mistakes = {
        "one-pass-too-many": (decode(model, range(prompt + 1, prompt + tokens + 1), cache),
                              "One pass too many: the first token comes from the prefill, so N tokens need N - 1 "
                              "more."),
        "context-off-by-one": (decode(model, range(prompt, prompt + tokens - 1), cache),
                               "The contexts are one too short: the token fed in attends to itself too."),
        "context-starts-late": (decode(model, range(prompt + 2, prompt + tokens + 1), cache),
                                "The contexts are one too long: the first decode step sees prompt + 1 tokens."),
        "recomputes-with-a-cache" if cache else "cached-without-a-cache": (
            other, "With a cache a pass takes the newest token only; the whole text was counted." if cache else
            "Without a cache every pass takes the whole text again; only the newest token was counted."),
        "decode-includes-prefill": (right + prefill, "The prefill was counted again in \"decode\"."),
        "context-never-grows": ((tokens - 1) * forward(model, 1, 1 if cache else prompt + 1, prompt + 1),
                                "Every pass was counted with the same context; it grows by one each time."),
        "context-is-the-step": (decode(model, range(1, tokens), cache), "The prompt is missing from the contexts."),
        "lm-head-at-all-positions": (right if cache else everywhere,
                                     "lm_head was counted at every position; the last one is enough."),
        "forgets-factor-two": (right // 2, HALF),
    }
    before: Mistakes = {
        "lm-head-at-all-positions": (forward(model, 1, prompt, prompt, prompt),
                                     "lm_head was counted at every position of the prompt; the last one is enough."),
        "prefill-is-one-step": (forward(model, 1, 1, prompt), "The prefill is a pass over the whole prompt, not one "
                                                              "token."),
        "prefill-includes-decode": (prefill + right, "The decode passes were counted in \"prefill\" too."),
        "forgets-factor-two": (prefill // 2, HALF),
    }
    call = Call("generation_flops", (model, prompt, tokens, cache))
    return case("generation_flops", group, call, {"prefill": Right(prefill, before), "decode": Right(right, wrong)})


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    rng = random.Random(30_000 + seed)
    small, grouped = draw(rng), draw(rng, grouped=True, gated=True, tied=True, square=False)
    gpt = draw(rng, tied=True, bias=True, positions=512)
    length = rng.choice((31, 43))
    made = [forward_case(LAST, small, 4, length, length), forward_case(LAST, gpt, 1, length, length),
            forward_case(STEP, small, 4, 1, rng.choice((59, 83))), forward_case(STEP, gpt, 1, 1, 47),
            forward_case(ALL, small, 4, length, length, length), forward_case(ALL, small, 4, 5, length, 3),
            forward_case(KINDS, grouped, 4, length, length), forward_case(KINDS, grouped, 4, 1, 71)]
    for group, cache in ((CACHED, True), (PLAIN, False)):
        made += [generation_case(group, small, rng.choice((11, 17)), rng.choice((5, 8)), cache),
                 generation_case(group, grouped, 7, rng.choice((23, 29)), cache)]
    made += [generation_case(EDGES, small, 13, tokens, cache) for tokens in (1, 2) for cache in (True, False)]
    return made
