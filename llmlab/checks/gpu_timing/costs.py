"""Checks of matmul_cost and decode_attention_cost: FLOPs and bytes from shapes. The oracles count one by one."""

from __future__ import annotations

import random
from collections.abc import Sequence

from llmlab.checks.compare import raises
from llmlab.checks.gpu_timing.numbers import Want
from llmlab.checks.gpu_timing.numbers import judge as judge_numbers
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Event, Output, Task, Verdict

MATMUL, ATTENTION = "gpu_timing.matmul_cost", "gpu_timing.decode_attention_cost"
PRODUCTS, SIZES, INVALID = "matrix products", "element sizes", "invalid sizes"
PLAIN, GROUPED = "as many heads for keys as for queries", "fewer heads for keys than for queries"
TASKS = (
    Task(MATMUL, "lab4", "FLOPs and bytes of a matrix product", {PRODUCTS: 1, SIZES: 1, INVALID: 1},
         "part2/measured.html#sec-rates"),
    Task(ATTENTION, "lab4", "FLOPs and bytes of attention in a decoding step", {PLAIN: 2, GROUPED: 1},
         "part2/measured.html#sec-rates"),
)


def matmul_oracle(m: int, k: int, n: int, itemsize: int) -> tuple[int, int]:
    """Every output is k multiplications and k additions; the elements of three matrices move."""
    outputs = len(range(m)) * len(range(n))
    elements = sum(rows * columns for rows, columns in ((m, k), (k, n), (m, n)))
    return outputs * (k + k), elements * itemsize


def attention_oracle(batch: int, heads: int, kv: int, dim: int, context: int, size: int) -> tuple[int, int]:
    """Per sequence and query head: a product (1, dim) x (dim, context), then one (1, context) x (context, dim)."""
    scores, _ = matmul_oracle(1, dim, context, size)
    values, _ = matmul_oracle(1, context, dim, size)
    cached = sum(context * dim for _ in range(kv) for _ in ("keys", "values"))
    vectors = sum(dim for _ in range(heads) for _ in ("query", "output"))
    return batch * heads * (scores + values), batch * (cached + vectors) * size


def matmul_case(group: str, m: int, k: int, n: int, itemsize: int | None = None) -> Case:
    """One product; itemsize None is the default of 2."""
    size = itemsize or 2
    flops, moved = matmul_oracle(m, k, n, size)
    wrong = {
        "forgets-the-factor-two": ({"FLOPs": m * k * n}, "A multiply-add counts 2 FLOPs."),
        "elements-for-bytes": ({"bytes": moved // size}, "Those are elements. Times itemsize gives bytes."),
        "one-operand-only": ({"bytes": k * n * size},
                             "Only the second operand was counted. The first is read and the result written too."),
        "first-operand-only": ({"bytes": m * k * size},
                               "Only the first operand was counted. The second is read and the result written too."),
        "forgets-the-result": ({"bytes": (m * k + k * n) * size}, "The result was not counted: it is written."),
        "ignores-itemsize": ({"bytes": moved // size * 2}, "Elements were taken to have 2 bytes, always."),
        "four-bytes-always": ({"bytes": moved // size * 4}, "Elements were taken to have 4 bytes."),
        "bytes-of-every-use": ({"bytes": (2 * m * k * n + m * n) * size},
                               "Each element was counted as often as it is used. Counted is the least: once each."),
    }
    given = {} if itemsize is None else {"itemsize": itemsize}
    return Case(MATMUL, group, (Call("matmul_cost", (m, k, n), given),),
                Want({"FLOPs": flops, "bytes": moved}, "tuple", wrong))


def attention_case(group: str, batch: int, heads: int, kv: int, dim: int, context: int,
                   itemsize: int | None = None) -> Case:
    """One step; itemsize None is the default of 2."""
    size = itemsize or 2
    flops, moved = attention_oracle(batch, heads, kv, dim, context, size)
    vectors = 2 * batch * heads * dim

    def cache(heads: int, batch: int = batch, parts: int = 2) -> int:
        return parts * batch * heads * dim * context

    wrong = {
        "kv-heads-for-flops": ({"FLOPs": 4 * batch * kv * context * dim},
                               "FLOPs were counted for kv_heads. Every query head has scores of its own."),
        "scores-only": ({"FLOPs": 2 * batch * heads * context * dim},
                        "Only one of the two products was counted, or a multiply-add as one FLOP."),
        "ignores-the-batch": ({"FLOPs": flops // batch, "bytes": moved // batch}, "The batch was not counted."),
        "query-heads-for-cache": ({"bytes": (cache(heads) + vectors) * size},
                                  "The cache was counted for query_heads. It holds kv_heads; the others share them."),
        "keys-only": ({"bytes": (cache(kv, parts=1) + vectors) * size}, "Keys and values are read, not one of them."),
        "cache-shared-by-batch": ({"bytes": (cache(kv, 1) + vectors) * size},
                                  "The cache was counted once for the whole batch. Each sequence has its own."),
        "cache-only": ({"bytes": cache(kv) * size}, "Queries and outputs were not counted."),
        "forgets-outputs": ({"bytes": (cache(kv) + vectors // 2) * size}, "Queries and outputs both move."),
        "elements-for-bytes": ({"bytes": moved // size}, "Those are elements. Times itemsize gives bytes."),
        "ignores-itemsize": ({"bytes": moved // size * 2}, "Elements were taken to have 2 bytes, always."),
        "prefill-for-decode": ({"FLOPs": flops * context},
                               "That is a pass over the whole context. Here each sequence has one query."),
    }
    given = {} if itemsize is None else {"itemsize": itemsize}
    return Case(ATTENTION, group, (Call("decode_attention_cost", (batch, heads, kv, dim, context), given),),
                Want({"FLOPs": flops, "bytes": moved}, "tuple", wrong))


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """By the two numbers."""
    if isinstance(case.expect, Refuse):
        return raises(outputs[-1], case.expect.kind, case.expect.names)
    return judge_numbers(case.expect, outputs[-1])


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    dice = random.Random(8_400 + seed)

    def some() -> list[int]:
        return dice.sample(range(100, 5_000), 3)

    made = [matmul_case(PRODUCTS, *some()), matmul_case(PRODUCTS, 1, *some()[:2]),
            matmul_case(SIZES, *some(), itemsize=4), matmul_case(SIZES, *some(), itemsize=1)]
    made += [Case(MATMUL, INVALID, (Call("matmul_cost", args),), Refuse(said))
             for args, said in (((0, 4, 4), "0"), ((4, -3, 4), "-3"), ((4, 4, 4, 0), "0"))]
    heads = dice.choice((8, 16, 32))
    made += [attention_case(PLAIN, 1, heads, heads, 64, dice.randrange(300, 900)),
             attention_case(PLAIN, dice.randrange(3, 9), heads, heads, 128, dice.randrange(300, 900), itemsize=4),
             attention_case(GROUPED, dice.randrange(3, 9), 4 * heads, heads, 128, dice.randrange(1_000, 3_000)),
             attention_case(GROUPED, 2, heads, 1, 80, dice.randrange(1_000, 3_000), itemsize=1)]
    return made
