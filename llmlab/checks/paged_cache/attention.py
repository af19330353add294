"""Checks of paged_attention: equal to attention over keys and values that lie one after the other, in float64.

Every slot that no sequence fills holds a large number, so whoever reads one gets far away from the right
result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from llmlab.checks.judging import Expect, judge
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

TASK = "paged_cache.paged_attention"
ONE, RAGGED, GROUPED = "one sequence", "sequences of different lengths", "grouped heads, other dtypes"
TASKS = (Task(TASK, "lab4", "attend to the K and V that a block table points to", {ONE: 2, RAGGED: 2, GROUPED: 1},
              "part3/paged-cache.html#sec-paged-attention"),)
STRANGE = 40.0


def contiguous(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, scaled: bool = True,
               interleaved: bool = False) -> torch.Tensor:
    """Attention of one query (H, D) over k, v (T, K, D): the definition, head by head, in float64."""
    heads, groups = q.shape[0], q.shape[0] // k.shape[1]
    rows = []
    for h in range(heads):
        kv = h % k.shape[1] if interleaved else h // groups
        scores = [math.fsum((a * b for a, b in zip(q[h].tolist(), row)), ) for row in k[:, kv].tolist()]
        scores = [s / math.sqrt(q.shape[1]) if scaled else s for s in scores]
        top = max(scores)
        weights = [math.exp(s - top) for s in scores]
        weighted = torch.tensor(weights, dtype=torch.float64) @ v[:, kv].double()
        rows.append(weighted / math.fsum(weights))
    return torch.stack(rows)


def attention_case(generator: torch.Generator, group: str, lengths: list[int], size: int,
                   heads: tuple[int, int, int],
                   dtype: torch.dtype = torch.float32, spare: int = 3, extra: int = 0) -> Case:
    """Sequences of these lengths in blocks dealt out at random. heads: H, K, D; extra: columns of -1 behind
    the tables.
    """
    query, kv, dim = heads
    need = [-(-length // size) for length in lengths]
    order = torch.randperm(sum(need) + spare, generator=generator).tolist()
    if order[:sum(need)] == sorted(order[:sum(need)]):
        order.reverse()
    texts = [(torch.randn(n, kv, dim, generator=generator).to(dtype),
              torch.randn(n, kv, dim, generator=generator).to(dtype)) for n in lengths]
    pools = [torch.full((len(order), size, kv, dim), value, dtype=dtype) for value in (1.5, STRANGE)]
    tables = torch.full((len(lengths), max(need) + extra), -1)
    for row, (n, text) in enumerate(zip(lengths, texts, strict=True)):
        mine, order = order[:need[row]], order[need[row]:]
        tables[row, :len(mine)] = torch.tensor(mine)
        for i in range(n):
            for pool, source in zip(pools, text, strict=True):
                pool[mine[i // size], i % size] = source[i]
    q = torch.randn(len(lengths), query, dim, generator=generator).to(dtype)

    def read(row: int, n: int, table: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        at = [(table[i // size], i % size) for i in range(n)]
        return torch.stack([pools[0][b, o] for b, o in at]), torch.stack([pools[1][b, o] for b, o in at])

    def outcome(count=lambda n: n, table=lambda row: row, **how) -> torch.Tensor:
        rows = [contiguous(q[row], *read(row, count(n), table(tables[row].tolist())), **how) for row,
                n in enumerate(lengths)]
        return torch.stack(rows).to(dtype)

    wrong = {
        "reads-unused-slots": (lambda: outcome(lambda n: -(-n // size) * size),
                               "The last block was read to its end. Slots behind the sequence's length hold other "
                               "numbers: mask them."),
        "forgets-new-token": (lambda: outcome(lambda n: max(1, n - 1)), "The last position was left out: lengths "
                                                                        "counts the new token too."),
        "ignores-table": (lambda: outcome(table=lambda row: list(range(len(row)))),
                          "Blocks 0, 1, 2, ... were read, as in a contiguous cache: "
                          "the table says which ones."),
        "first-length-for-all": (lambda: outcome(lambda n: min(lengths)), "All rows were cut to the shortest one. "
                                                                          "Each has its own length."),
        "not-scaled": (lambda: outcome(scaled=False), "The scores were not divided by the square root of D."),
        "kv-heads-interleaved": (lambda: outcome(interleaved=True), "Query head h was given KV head h % K. "
                                                                    "Neighbouring query heads share one: "
                                 "h // (H // K)."),
        "table-back-to-front": (lambda: outcome(table=lambda row: [b for b in row if b >= 0][::-1]),
                                "The blocks of a table were read back to front."),
    }
    shown = (f"paged_attention(q {tuple(q.shape)}, blocks {tuple(pools[0].shape)}, tables {tables.tolist()}, "
             f"lengths {lengths})")
    tol = 1e-5 if dtype is torch.float64 else None
    return Case(TASK, group, (Call("paged_attention", (q, *pools, tables, torch.tensor(lengths))),),
                Expect(outcome(), wrong, tol), shown)


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    g = torch.Generator().manual_seed(45_000 + seed)
    return [
        attention_case(g, ONE, [5], 2, (1, 1, 4)), attention_case(g, ONE, [8], 4, (2, 2, 4)),
        attention_case(g, ONE, [1], 4, (2, 2, 4)),
        attention_case(g, ONE, [13], 4, (2, 2, 8), extra=2),
        attention_case(g, RAGGED, [3, 9, 1], 4, (2, 2, 4)),
        attention_case(g, RAGGED, [7, 2, 16, 5], 3, (1, 1, 8), extra=1),
        attention_case(g, GROUPED, [6, 11], 4, (4, 2, 4)),
        attention_case(g, GROUPED, [9, 3], 4, (6, 2, 4), torch.float64),
        attention_case(g, GROUPED, [5, 10], 4, (4, 1, 8), torch.bfloat16),
        attention_case(g, GROUPED, [4, 7], 2, (2, 1, 8), torch.float16),
    ]
