"""Checks of matmul_intensity, mlp_intensity and attention_intensity: FLOPs for each byte moved."""

from __future__ import annotations

import random

from llmlab.checks.flops.verdicts import NEVER, Mistakes, Right, case
from llmlab.checks.flops.oracle import Shape, draw, flops, mlp_products
from llmlab.checks.protocol import Call, Case, Task

READ = "part2/roofline.html#sec-"
ONE, TWO_WIDTHS = "one width of numbers", "weights of another width"
GATED, UNGATED = "gated", "two maps"
EQUAL, SHARED = "as many kv heads as heads", "grouped queries"
TASKS = (
    Task("flops.matmul_intensity", "lab2", "find the FLOPs per byte of a matrix product", {ONE: 2, TWO_WIDTHS: 1},
         READ + "intensity"),
    Task("flops.mlp_intensity", "lab2", "find the FLOPs per byte of an MLP", {GATED: 2, UNGATED: 1},
         READ + "mlp-intensity"),
    Task("flops.attention_intensity", "lab2", "find the FLOPs per byte of attention", {EQUAL: 2, SHARED: 2},
         READ + "attention-intensity"),
)
INVERTED = "These are bytes per FLOP; the intensity is FLOPs per byte."
NO_TWO = "The FLOPs lack the factor 2."
NO_WIDTH = "Numbers were counted, not bytes: each takes bytes_per_value."
BITS = "The numbers were counted in bits; take bytes."


def common(work: float, moved: float, width: float) -> dict[str, tuple[float, str]]:
    """Mistakes that all three share."""
    return {"intensity-inverted": (moved / work, INVERTED), "forgets-factor-two": (work / 2 / moved, NO_TWO),
            "counts-values-not-bytes": (work * width / moved, NO_WIDTH), "bits-for-bytes": (work / (8 * moved), BITS)}


def matmul_case(group: str, rows: int, inner: int, columns: int, width: float, weight: float | None = None) -> Case:
    kept = width if weight is None else weight
    work = flops([("", 1, rows, inner, columns)])
    left, right, out = rows * inner, inner * columns, rows * columns
    moved = width * left + kept * right + width * out
    wrong: Mistakes = {
        **common(work, moved, width),
        "forgets-result": (work / (moved - width * out), "The result has to be written: rows * columns numbers."),
        "weights-only": (work / (kept * right), "Only the weights were moved, which gives the limit for few rows. "
                                                "The "
                         "activations are read and written too."),
        "forgets-weights": (work / (width * (left + out)), "The weights have to be read too: inner * columns "
                                                           "numbers."),
        "limit-for-few-rows": (float(rows) if kept != 2 else NEVER, "That is the limit for few rows; count all "
                                                                    "bytes."),
        "ignores-weight-width": (work / (width * (left + right + out)), "weight_bytes was ignored."),
        "weight-width-everywhere": (work / (kept * (left + right + out)),
                                    "weight_bytes was used for the activations too; it is for the weights only."),
    }
    given = (rows, inner, columns) if (width, weight) == (2, None) else (rows, inner, columns, width)
    call = Call("matmul_intensity", given if weight is None else (*given, weight)[:5])
    return case("matmul_intensity", group, call, Right(work / moved, wrong))


def mlp_case(group: str, model: Shape, tokens: int, width: float = 2) -> Case:
    listed = mlp_products(model, tokens)
    work, hidden, inner = flops(listed), model["hidden"], model["mlp"]
    into = 2 if model["gated"] else 1
    ends, middle, weights = 2 * tokens * hidden, into * tokens * inner, (into + 1) * hidden * inner
    moved = width * (ends + middle + weights)
    two = {**model, "gated": False}
    wrong: Mistakes = {
        **common(work, moved, width),
        "weights-only": (work / (width * weights), "Only the matrices were moved, which gives the limit for few "
                                                   "tokens. "
                         "Activations are moved too."),
        "forgets-middle": (work / (width * (ends + weights)), "What the maps to the inner width give is written "
                                                              "too."),
        "reads-middle-again": (work / (width * (ends + 2 * middle + weights)),
                               "The inner vectors were counted twice: written and read. The contract fuses the "
                               "reading."),
        "every-map-alone": (work / (width * sum(m * n + n * p + m * p for _, _, m, n, p in listed))
                            if into == 2 else NEVER,
                            "Every map was counted as a product of its own. The contract moves the input once and "
                            "fuses the "
                            "reading of what was just written."),
        "forgets-weights": (work / (width * (ends + middle)), "The matrices have to be read too."),
        "limit-for-few-tokens": (float(tokens) if width != 2 else NEVER, "That is the limit for few tokens; count "
                                                                         "all bytes."),
        "gated-as-two-maps": (flops(mlp_products(two, tokens)) / (width * (ends + tokens * inner + 2 * hidden * inner)),
                              "A gated MLP has three maps; two were counted."),
    }
    call = Call("mlp_intensity", (model, tokens) if width == 2 else (model, tokens, width))
    return case("mlp_intensity", group, call, Right(work / moved, wrong))


def attention_case(group: str, model: Shape, new: int, context: int, width: float = 2) -> Case:
    heads, kv, size = model["heads"], model["kv_heads"], model["head_dim"]
    work = 4 * heads * size * new * context
    ends, cache, scores = heads * size * new, kv * size * context, heads * new * context
    moved = width * (2 * ends + 2 * cache)
    wrong: Mistakes = {
        **common(work, moved, width),
        "writes-scores": (work / (moved + width * 2 * scores), "The scores were written and read. Here, as in "
                          "FlashAttention, they never reach the memory."),
        "one-number-of-heads": (work / (width * 2 * heads * size * (new + context)),
                                "Queries and keys were counted with the same number of heads. `heads` ask; "
                                "`kv_heads` are "
                                "read, and several query heads share each: that raises the intensity."),
        "forgets-values": (work / (width * (2 * ends + cache)), "Keys were read, values not."),
        "forgets-result": (work / (width * (ends + 2 * cache)), "The result has to be written too."),
        "forgets-queries-and-result": (work / (width * 2 * cache), "Queries have to be read and the result written."),
        "ignores-older-tokens": (4 * heads * size * new * new / moved, "The new tokens attend to the whole context."),
    }
    call = Call("attention_intensity", (model, new, context) if width == 2 else (model, new, context, width))
    return case("attention_intensity", group, call, Right(work / moved, wrong))


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    rng = random.Random(50_000 + seed)
    made = [matmul_case(ONE, 3, 40, 56, 2), matmul_case(ONE, rng.choice((129, 257)), 1024, 768, 2),
            matmul_case(ONE, 17, 60, rng.choice((90, 110)), 4),
            matmul_case(TWO_WIDTHS, rng.choice((20, 31)), 512, 640, 2, 0.5), matmul_case(TWO_WIDTHS, 7, 96, 72, 2, 1)]
    gated, two = draw(rng, gated=True), draw(rng, square=False)
    made += [mlp_case(GATED, gated, rng.choice((3, 6))), mlp_case(GATED, gated, 1001, 4), mlp_case(UNGATED, two, 23)]
    grouped, length = draw(rng, grouped=True), rng.choice((61, 89))
    made += [attention_case(EQUAL, two, 1, length, 4), attention_case(EQUAL, two, 24, length),
             attention_case(SHARED, grouped, 1, rng.choice((201, 333))), attention_case(SHARED, grouped, 24, length)]
    return made
