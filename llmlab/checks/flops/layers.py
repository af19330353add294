"""Checks of matmul_flops, attention_flops, mlp_flops and layer_flops: one product, and one decoder layer."""

from __future__ import annotations

import random

from llmlab.checks.flops.verdicts import NEVER, Mistakes, Right, case
from llmlab.checks.flops.oracle import Shape, attention_products, draw, flops, mlp_products
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Task

READ = "part2/counting.html#sec-"
MATRICES, VECTORS = "matrices", "a row and a column"
PREFILL, GROUPED = "prefill, as many kv heads as heads", "grouped queries"
AFTER, INVALID = "few new tokens", "short context"
TWO, THREE = "two maps", "gated, three maps"
FORMULA = "the polynomial"
TASKS = (
    Task("flops.matmul_flops", "lab2", "count the multiplications and additions of a matrix product",
         {MATRICES: 1, VECTORS: 1}, READ + "matmul-flops"),
    Task("flops.attention_flops", "lab2", "count the FLOPs of self-attention in one layer, step by step",
         {PREFILL: 3, GROUPED: 2, AFTER: 2, INVALID: 1}, READ + "attention-flops"),
    Task("flops.mlp_flops", "lab2", "count the FLOPs of an MLP with or without a gate", {TWO: 2, THREE: 2},
         READ + "mlp-flops"),
    Task("flops.layer_flops", "lab2", "write the FLOPs of a decoder layer as a polynomial in b, s and "
                                      "h", {FORMULA: 2},
         READ + "layer-flops"),
)
HALF = "The factor 2 is missing: every product of two numbers is also added to a sum, which makes 2 FLOPs."
CAUSAL = ("Scores that a causal mask hides were left out. A plain kernel computes them all the same, and the "
          "convention "
          "counts them.")


def matmul_case(group: str, m: int, n: int, p: int) -> Case:
    wrong: Mistakes = {
        "forgets-factor-two": (m * n * p, HALF),
        "counts-n-minus-one-additions": (m * p * (2 * n - 1), "Only n - 1 additions were counted for each number. "
                                                              "That is "
                                         "true, but the convention is 2 n: a fused multiply-add starts from 0."),
        "forgets-inner-size": (2 * m * p, "The inner size n is missing: each number of the result is a sum of n "
                                          "products."),
        "counts-sizes-of-factors": (2 * (m * n + n * p), "The sizes of the two factors were added up. Count what "
                                                         "happens "
                                    "for each of the m * p numbers of the result."),
    }
    return case("matmul_flops", group, Call("matmul_flops", (m, n, p)), Right(2 * m * n * p, wrong))


def attention_wrong(model: Shape, batch: int, new: int, context: int) -> dict[str, Mistakes]:
    """Step of attention -> what known mistakes make of it."""
    hidden, size, heads, kv = model["hidden"], model["head_dim"], model["heads"], model["kv_heads"]
    rows, right = batch * new, {}
    for name in ("q", "k", "v", "scores", "values", "output"):
        value = flops(attention_products(model, batch, new, context), name)
        right[name] = {
            "forgets-factor-two": (value // 2, HALF),
            "forgets-batch": (value // batch, "The batch was forgotten: this is the cost of one sequence."),
            "counts-all-layers": (value * model["layers"], "All layers were counted; the function is about one."),
        }
    for name in ("q", "output"):
        right[name] |= {
            "kv-heads-for-queries": (2 * rows * hidden * kv * size,
                                     "The number of kv heads was used. Queries and output have all heads."),
            "assumes-square-projection": (2 * rows * hidden * hidden,
                                          "The map was taken to be square. Its other side is heads * head_dim."),
        }
    for name in ("k", "v"):
        right[name] |= {
            "query-heads-for-keys": (2 * rows * hidden * heads * size,
                                     "The number of query heads was used. Keys and values have kv_heads heads."),
            "projects-whole-context": (2 * batch * context * hidden * kv * size,
                                       "Keys and values of the whole context were computed. Those of older tokens "
                                       "are in the "
                                       "cache; only the new tokens are projected."),
            "assumes-square-projection": (2 * rows * hidden * hidden if hidden != heads * size else NEVER,
                                          "The map was taken to be square. Its other side is kv_heads * head_dim."),
        }
    for name in ("scores", "values"):
        cost = 2 * batch * heads * size
        right[name] |= {
            "causal-halving": (cost * context * context // 2 if new == context else NEVER, CAUSAL),
            "causal-pairs": (cost * (new * context - new * (new - 1) // 2) if new > 1 else NEVER, CAUSAL),
            "ignores-older-tokens": (cost * new * new, "The new tokens attend to the whole context, not only to "
                                                       "each other."),
            "recomputes-older-queries": (
                cost * context * context, "Every token of the context was taken as a query. Only the new ones ask."),
            "kv-heads-for-queries": (2 * batch * kv * size * new * context,
                                     "The number of kv heads was used. Every query head has scores of its own; "
                                     "grouped "
                                     "queries save memory, not this work."),
            "one-head-only": (2 * batch * size * new * context, "One head was counted; there are `heads` of them."),
        }
        if new == context:  # half of it is also what is left without the factor 2
            del right[name]["forgets-factor-two"]
    return right


def attention_case(group: str, model: Shape, batch: int, new: int, context: int) -> Case:
    listed, wrong = attention_products(model, batch, new, context), attention_wrong(model, batch, new, context)
    right = {name: Right(flops(listed, name), wrong[name]) for name in wrong}
    return case("attention_flops", group, Call("attention_flops", (model, batch, new, context)), right)


def mlp_case(group: str, model: Shape, tokens: int) -> Case:
    one = flops(mlp_products(model, tokens), "up")
    maps = 3 if model["gated"] else 2
    wrong: Mistakes = {
        "forgets-factor-two": (maps * one // 2, HALF if maps == 3 else f"{HALF} Or one of the two maps is missing."),
        **({"one-map-only": (one, "One map was counted.")} if maps == 3 else {}),
        "gated-as-two-maps" if model["gated"] else "counts-a-gate": (
            (5 - maps) * one, "A gated MLP has three maps (gate, up, down); two were counted." if model["gated"] else
            "This MLP has no gate: two maps, up and down."),
        "assumes-four-times-hidden": (2 * maps * tokens * model["hidden"] * 4 * model["hidden"],
                                      "The width was taken to be 4 * hidden; it is model[\"mlp\"]."),
        "counts-all-layers": (maps * one * model["layers"], "All layers were counted; the function is about one."),
    }
    return case("mlp_flops", group, Call("mlp_flops", (model, tokens)), Right(maps * one, wrong))


def layer_case(b: int, s: int, h: int) -> Case:
    linear, square = b * s * h * h, b * s * s * h
    model = {"hidden": h, "heads": 1, "kv_heads": 1, "head_dim": h, "mlp": 4 * h, "gated": False}
    right = flops(attention_products(model, b, s, s) + mlp_products(model, b * s))
    wrong: Mistakes = {
        "forgets-factor-two": (12 * linear + 2 * square, HALF),
        "forgets-quadratic-term": (24 * linear, "The scores and their product with V are missing: a term with s**2."),
        "half-of-quadratic-term": (24 * linear + 2 * square, "The term with s**2 is half of what it should be: the "
                                                             "scores "
                                   "and their product with V cost 2 b s^2 h each, and the mask halves neither."),
        "forgets-output-projection": (22 * linear + 4 * square, "The output projection is missing: 2 b s h^2."),
        "counts-one-of-q-k-v": (20 * linear + 4 * square, "One of Q, K and V was counted; there are three "
                                                          "projections."),
        "forgets-mlp": (8 * linear + 4 * square, "That is attention alone; the MLP is missing."),
        "mlp-of-width-h": (12 * linear + 4 * square, "The MLP was counted with width h; here it is 4 h."),
        "swaps-s-and-h": (4 * linear + 24 * square, "s and h are swapped: projections grow with h^2, scores with "
                                                    "s^2."),
    }
    return case("layer_flops", FORMULA, Call("layer_flops", (b, s, h)), Right(right, wrong))


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    rng = random.Random(20_000 + seed)
    made = [matmul_case(MATRICES, 3, 5, 7), matmul_case(MATRICES, *rng.sample((48, 77, 130, 401), 3)),
            matmul_case(VECTORS, 1, rng.choice((17, 64)), 1), matmul_case(VECTORS, 1, 11, rng.choice((40, 90)))]
    square = draw(rng)
    length = rng.choice((29, 53))
    made += [attention_case(PREFILL, square, 4, length, length),
             attention_case(PREFILL, draw(rng, square=False), 1, length, length)]
    grouped = draw(rng, grouped=True, gated=True, square=False)
    made += [attention_case(GROUPED, grouped, 4, length, length),
             attention_case(GROUPED, draw(rng, grouped=True, square=False), 1, length, length)]
    made += [attention_case(AFTER, square, 4, 1, rng.choice((61, 101))), attention_case(AFTER, grouped, 4, 5, 67)]
    made += [Case("flops.attention_flops", INVALID, (Call("attention_flops", (square, 1, 9, 8)),), Refuse("8"))]
    made += [mlp_case(TWO, square, length), mlp_case(TWO, draw(rng, square=False), 1), mlp_case(THREE, grouped, length),
             mlp_case(THREE, draw(rng, gated=True), 1)]
    made += [layer_case(1, 5, 8), layer_case(3, rng.choice((101, 211)), rng.choice((48, 96))),
             layer_case(1, 1000, 4096)]
    return made
