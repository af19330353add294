"""Checks of top_p and top_k_top_p.

The oracle of each walks over plain Python numbers, one token at a time, in float64. Inputs are drawn so that
no cumulative sum lies near a threshold: there, rounding alone would decide.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from llmlab.checks.decoding import rows
from llmlab.checks.decoding.rows import (
    INF, MARGIN, Keep, Value, by_rows, judge, masking_mistakes, named, order_of, softmax,
)
from llmlab.checks.decoding.thresholds import largest
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

ONE, BATCHES = "one row", "batches and dtypes"
P_EDGES, P_INVALID = "edges: p = 1, one token, -inf", "invalid p"
ORDER, ALONE = "top-k first, then top-p", "one of the two decides alone"
BOTH = "batches, dtypes, invalid values"

TASKS = (
    Task("decoding.top_p", "lab1", "keep the smallest set of most likely tokens with mass at least p", {
        ONE: 1, BATCHES: 1, P_EDGES: 1, P_INVALID: 1}, "part1/truncation.html#sec-top-p"),
    Task("decoding.top_k_top_p", "lab1", "apply top-k, then top-p to what is left", {
        ORDER: 1, ALONE: 1, BOTH: 1}, "part1/truncation.html#sec-top-k-top-p"),
)


def nucleus(row: list[float], p: float) -> set[int]:
    """The oracle: take tokens from the most likely on until their mass reaches p."""
    probs, kept, mass = softmax(row), set(), 0.0
    for i in order_of(row):
        kept.add(i)
        mass += probs[i]
        if mass >= p:
            break
    return {i for i in kept if row[i] > -INF}


def everything_or(row: list[float], p: float) -> set[int]:
    """The oracle with its end: p = 1 keeps every token, also those that rounding would lose."""
    return set(range(len(row))) if p == 1 else nucleus(row, p)


def without_crossing(row: list[float], p: float) -> set[int]:
    """Wrong: stops before the token that crosses p."""
    probs, kept, mass = softmax(row), set(), 0.0
    for i in order_of(row):
        mass += probs[i]
        if mass > p:
            break
        kept.add(i)
    return kept


def one_more(row: list[float], p: float) -> set[int]:
    """Wrong: also keeps the token after the one that crosses p."""
    return set(order_of(row)[:len(nucleus(row, p)) + 1])


def least_likely(row: list[float], p: float) -> set[int]:
    """Wrong: sorted the other way round."""
    probs, kept, mass = softmax(row), set(), 0.0
    for i in sorted(range(len(row)), key=lambda i: row[i]):
        kept.add(i)
        mass += probs[i]
        if mass >= p:
            break
    return kept


def above(row: list[float], p: float) -> set[int]:
    """Wrong: compares each probability with p instead of the cumulative sum."""
    return {i for i, q in enumerate(softmax(row)) if q >= p}


def cumulative_in_sorted_order(row: list[float], p: float) -> set[int]:
    """Wrong: finds the cut in sorted order, but applies it to the unsorted positions."""
    return set(range(len(nucleus(row, p))))


def rounded_tail(row: list[float], dtype: torch.dtype) -> set[int]:
    """Wrong: at p = 1 still compares the running sum, which is 1 before the last tokens came."""
    order = order_of(row)
    probs = torch.tensor(row, dtype=torch.float64)[order].to(dtype).softmax(-1)
    return {i for i, before in zip(order, (probs.cumsum(-1) - probs).tolist(), strict=True) if before < 1}


def clear(row: list[float], p: float, margin: float = MARGIN[torch.float32]) -> bool:
    """True if no cumulative sum of the sorted probabilities is within `margin` of p."""
    mass, sums = 0.0, []
    for q in sorted(softmax(row), reverse=True):
        mass += q
        sums.append(mass)
    return all(abs(s - p) > margin for s in sums[:-1])


def draw(generator: torch.Generator, shape: tuple[int, ...], p: float,
         dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Random logits of which every row is clear of the threshold."""
    return rows.draw(generator, shape, lambda row: clear(row, p, MARGIN[dtype]), dtype)


CROSSING = "The token with which the sum reaches p was dropped; it belongs to the set."


def nucleus_case(group: str, logits: torch.Tensor, p: float) -> Case:
    """One call of top_p with the values that known mistakes lead to."""
    def keep(row: list[float]) -> set[int]:
        return everything_or(row, p)

    rules: list[tuple[str, Keep, str]] = [
        ("drops-crossing-token", lambda row: without_crossing(row, p), CROSSING),
        ("keeps-one-too-many", lambda row: one_more(row, p),
         "One token too many was kept: the set ends with the token "
         "with which the sum reaches p."),
        ("keeps-least-likely", lambda row: least_likely(row, p),
         "The least likely tokens were kept: sort in descending "
         "order."),
        ("threshold-on-probability", lambda row: above(row, p),
         "Each probability was compared with p; compare the "
         "running sum."),
        ("unsorted-positions", lambda row: cumulative_in_sorted_order(row, p),
         "The cut was found in sorted order but "
         "applied to the original positions: bring the mask back with the sort's indices."),
        ("ignores-p", lambda row: set(range(len(row))), "Every token was kept: p had no effect."),
    ]
    if p == 1:
        lost = "p = 1 keeps all, but the rounded sum was 1 too early, and the last tokens were removed."
        rules[:0] = [("rounding-drops-tail", lambda row, d=d: rounded_tail(row, d), lost)
                     for d in (torch.float32, torch.float64)]
    mistakes = [*named(rules, logits), *masking_mistakes(logits, keep),
                *rows.other_axes(logits, lambda x: by_rows(x, keep),
                                 "The sum ran over the wrong dimension: the vocabulary "
                                 "is the last one.")]
    return Case("decoding.top_p", group, (Call("top_p", (logits, p)),),
                Value(by_rows(logits, keep), mistakes))


def top_p_cases(generator: torch.Generator) -> list[Case]:
    """Cases of top_p."""
    textbook = torch.tensor([0.15, 0.5, 0.05, 0.3]).log()
    made = [nucleus_case(ONE, textbook, p) for p in (0.1, 0.6, 0.9)]
    made += [nucleus_case(ONE, draw(generator, (12,), p), p) for p in (0.3, 0.9, 0.97)]
    for shape, dtype in (((5, 9), torch.float32), ((2, 3, 7), torch.float64), ((3, 8), torch.float16),
                         ((3, 6), torch.bfloat16)):
        made.append(nucleus_case(BATCHES, draw(generator, shape, 0.8, dtype), 0.8))
    for logits, p in ((torch.randn(3, 6, generator=generator), 1.0),
                      (torch.tensor([[9.0, 0.0, 0.0, 0.0]]), 0.05),
                      (torch.tensor([-30.0, 0.0, -60.0, 1.0]), 1.0),
                      (torch.tensor([[1.0, -INF, 0.5, -INF]]), 0.99)):
        made.append(nucleus_case(P_EDGES, logits, p))
    made += [Case("decoding.top_p", P_INVALID, (Call("top_p", (textbook, p)),),
                  Refuse(f"{p:g}")) for p in (0.0, -0.2, 1.5)]
    return made


def k_then_p(row: list[float], k: int, p: float) -> set[int]:
    """The oracle: the nucleus of the row that top-k leaves."""
    kept = largest(row, k)
    return everything_or([x if i in kept else -INF for i, x in enumerate(row)], p) & kept


def k_p_case(group: str, logits: torch.Tensor, k: int, p: float) -> Case:
    """One call of top_k_top_p with the values that known mistakes lead to."""
    def keep(row: list[float]) -> set[int]:
        return k_then_p(row, k, p)

    def left(row: list[float]) -> list[float]:
        kept = largest(row, k)
        return [x if i in kept else -INF for i, x in enumerate(row)]

    rules: list[tuple[str, Keep, str]] = [
        ("top-p-before-top-k", lambda row: everything_or(row, p) & largest(row, k),
         "top-p saw the probabilities of all tokens. Apply it to what top-k leaves, where they sum to 1 "
         "again."),
        ("ignores-p", lambda row: largest(row, k), "Only top-k was applied: p had no effect."),
        ("ignores-k", lambda row: everything_or(row, p), "Only top-p was applied: k had no effect."),
        ("drops-crossing-token", lambda row: without_crossing(left(row), p), CROSSING),
    ]
    mistakes = [*named(rules, logits), *masking_mistakes(logits, keep)]
    return Case("decoding.top_k_top_p", group, (Call("top_k_top_p", (logits, k, p)),),
                Value(by_rows(logits, keep), mistakes))


def order_matters(k: int, p: float, dtype: torch.dtype = torch.float32) -> Callable[[list[float]], bool]:
    """Rows clear of both thresholds, where top-k alone, and the two orders, keep three different sets."""
    def fits(row: list[float]) -> bool:
        kept = [row[i] for i in sorted(largest(row, k))]
        return (len(kept) == k and clear(kept, p, MARGIN[dtype]) and clear(row, p, MARGIN[dtype])
                and len(k_then_p(row, k, p)) < len(nucleus(row, p)) < k)

    return fits


def k_p_cases(generator: torch.Generator) -> list[Case]:
    """Cases of top_k_top_p."""
    made = [k_p_case(ORDER, torch.tensor([0.09, 0.4, 0.15, 0.05, 0.2, 0.11]).log(), 4, 0.65)]
    for k, p in ((4, 0.8), (6, 0.7)):
        made.append(k_p_case(ORDER, rows.draw(generator, (3, 12), order_matters(k, p), scale=1.5), k, p))
    flat = draw(generator, (2, 8), 0.6)
    made += [k_p_case(ALONE, flat, 3, 1.0), k_p_case(ALONE, flat, 100, 0.6), k_p_case(ALONE, flat, 1, 0.3)]
    for shape, dtype in (((2, 2, 10), torch.float64), ((4, 10), torch.float16), ((1, 10), torch.bfloat16)):
        made.append(k_p_case(BOTH, rows.draw(generator, shape, order_matters(5, 0.65, dtype), dtype,
                                             scale=1.0), 5, 0.65))
    holes = torch.tensor([[1.0, -INF, 0.5, -INF, 0.0]])
    made.append(k_p_case(BOTH, holes, 4, 0.8))
    for k, p in ((0, 0.5), (2, 1.5)):
        made.append(Case("decoding.top_k_top_p", BOTH, (Call("top_k_top_p", (flat, k, p)),),
                         Refuse(f"{k if k < 1 else p:g}")))
    return made


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(1_000 + seed)
    return [*top_p_cases(generator), *k_p_cases(generator)]
