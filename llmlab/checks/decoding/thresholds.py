"""Checks of top_k and min_p: both compare every token with one threshold of its row.

The oracle of top_k counts the larger tokens; that of min_p compares float64 probabilities. Its inputs are
drawn so that no probability lies near the threshold: there, rounding alone would decide.
"""

from __future__ import annotations

import torch

from llmlab.checks.decoding import rows
from llmlab.checks.decoding.rows import (
    INF, MARGIN, Keep, Value, by_rows, judge, masking_mistakes, named, order_of, softmax,
)
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

K_MOST, K_EDGES, K_INVALID = "rows and batches", "edges: ties, k > V, -inf", "invalid k"
M_SHARE, M_EDGES, M_INVALID = "share of the largest", "edges: 0, 1, ties, -inf", "invalid min_p"

TASKS = (
    Task("decoding.top_k", "lab1", "keep the k largest logits", {
        K_MOST: 1, K_EDGES: 1, K_INVALID: 1}, "part1/truncation.html#sec-top-k"),
    Task("decoding.min_p", "lab1", "keep the tokens that reach a share of the largest probability", {
        M_SHARE: 1, M_EDGES: 1, M_INVALID: 1}, "part1/truncation.html#sec-min-p"),
)


def largest(row: list[float], k: int) -> set[int]:
    """The oracle: every token that has fewer than k larger ones. Ties with the k-th are kept."""
    return {i for i, x in enumerate(row) if sum(y > x for y in row) < k and x > -INF}


def above_the_kth(row: list[float], k: int) -> set[int]:
    """Wrong: removes the k-th too, and all that tie with it."""
    kth = row[order_of(row)[min(k, len(row)) - 1]]
    return {i for i, x in enumerate(row) if x > kth}


def top_k_case(group: str, logits: torch.Tensor, k: int) -> Case:
    """One call of top_k with the values that known mistakes lead to."""
    def keep(row: list[float]) -> set[int]:
        return largest(row, k)

    def whole_batch() -> torch.Tensor:
        kth = logits.flatten().sort(descending=True).values[min(k, logits.numel()) - 1]
        return logits.masked_fill(logits < kth, -INF)

    few = "One token too few was kept: the k-th largest belongs to the set, compare with < and not <=."
    rules: list[tuple[str, Keep, str]] = [
        ("keeps-k-of-ties", lambda row: set(order_of(row)[:k]),
         "Exactly k tokens were kept, although others tie with the k-th. Keep all that are not smaller than "
         "the k-th."),
        ("keeps-k-of-ties", lambda row: set(sorted(range(len(row)), key=lambda i: (-row[i], -i))[:k]),
         "Exactly k tokens were kept, although others tie with the k-th. Keep all that are not smaller than "
         "the k-th."),
        ("keeps-one-too-few", lambda row: above_the_kth(row, k), few),
        ("keeps-one-too-few", lambda row: set(order_of(row)[:k - 1]), few),
        ("keeps-one-too-many", lambda row: largest(row, k + 1),
         "One token too many was kept: the (k+1)-th must go."),
        ("keeps-least-likely", lambda row: set(order_of(row)[-k:]),
         "The smallest logits were kept: keep the largest."),
        ("ignores-k", lambda row: set(range(len(row))), "Every token was kept: k had no effect."),
        ("first-positions", lambda row: set(range(k)),
         "The first k ids were kept: the order of the ids means nothing."),
    ]
    mistakes = [*named(rules, logits), *masking_mistakes(logits, keep),
                ("one-threshold-for-the-batch", whole_batch,
                 "One threshold was used for the whole batch: every row has "
                 "a k-th largest logit of its own."),
                *rows.other_axes(logits, lambda x: by_rows(x, keep),
                                 "The k largest were taken along the wrong "
                                 "dimension: the vocabulary is the last one."),
                ("returns-only-k", lambda: logits.sort(-1, descending=True).values[..., :k],
                 "Only the k values came back: "
                 "return logits for the whole vocabulary, with -inf for removed tokens.")]
    return Case("decoding.top_k", group, (Call("top_k", (logits, k)),), Value(
        by_rows(logits, keep), mistakes,
        ("k-above-vocabulary",
         "k may be larger than the vocabulary and then keeps all.") if k > logits.shape[-1] else None))


def top_k_cases(generator: torch.Generator) -> list[Case]:
    """Cases of top_k."""
    made = [top_k_case(K_MOST, torch.tensor([0.3, 0.4, 0.05, 0.2]).log(), 2)]  # the lecture's example
    for shape, k in (((9,), 1), ((4, 7), 3), ((2, 3, 6), 2)):
        made.append(top_k_case(K_MOST, torch.randn(shape, generator=generator), k))
    for logits, k in ((torch.tensor([2.0, 1.0, 1.0, -1.0, 1.0]), 2),
                      (torch.randn(2, 5, generator=generator), 50),
                      (torch.randn(3, 5, generator=generator), 5),
                      (torch.tensor([[1.0, -INF, 0.5, -INF]]), 3),
                      (torch.randint(0, 4, (4, 9), generator=generator).to(torch.float16), 3),
                      (torch.randn(3, 40, generator=generator).to(torch.bfloat16), 7)):
        made.append(top_k_case(K_EDGES, logits, k))
    for k in (0, -3, 2.5):
        made.append(Case("decoding.top_k", K_INVALID,
                         (Call("top_k", (torch.randn(5, generator=generator), k)),),
                         Refuse(f"{k}")))
    return made


def share(row: list[float], least: float) -> set[int]:
    """The oracle: every token whose probability is at least `least` times the largest one."""
    probs = softmax(row)
    return {i for i, q in enumerate(probs) if q >= least * max(probs)}


def clear_share(row: list[float], least: float, margin: float) -> bool:
    """True if no probability is within a relative `margin` of the threshold."""
    probs = softmax(row)
    return all(abs(q / max(probs) - least) > margin for q in probs)


def min_p_case(group: str, logits: torch.Tensor, least: float) -> Case:
    """One call of min_p with the values that known mistakes lead to."""
    def keep(row: list[float]) -> set[int]:
        return share(row, least)

    def whole_batch() -> torch.Tensor:
        probs = logits.double().softmax(-1)
        return logits.masked_fill(probs < least * probs.max(), -INF)

    def nucleus(row: list[float]) -> set[int]:
        probs, kept, mass = softmax(row), set(), 0.0
        for i in order_of(row):
            kept.add(i)
            mass += probs[i]
            if mass >= least:
                break
        return kept

    rules: list[tuple[str, Keep, str]] = [
        ("drops-equals", lambda row: {i for i, q in enumerate(softmax(row)) if q > least * max(softmax(row))},
         "A token exactly at the threshold was removed; at least min_p times the largest means that it "
         "stays."),
        ("min-p-absolute-threshold", lambda row: {i for i, q in enumerate(softmax(row)) if q >= least},
         "Each probability was compared with min_p itself. The threshold is min_p times the largest "
         "probability of the row."),
        ("threshold-on-logits", lambda row: {i for i, x in enumerate(row) if x >= least * max(row)},
         "Logits were compared, but min_p is a share of a probability: use softmax first."),
        ("min-p-of-the-rest",
         lambda row: {i for i, q in enumerate(softmax(row)) if q >= (1 - least) * max(softmax(row))},
         "The threshold was (1 - min_p) times the largest probability; it is min_p times."),
        ("min-p-as-top-p", nucleus, "That is top-p: a running sum. min-p looks at each token alone."),
        ("ignores-min-p", lambda row: set(range(len(row))), "Every token was kept: min_p had no effect."),
    ]
    mistakes = [*named(rules, logits), *masking_mistakes(logits, keep),
                ("one-threshold-for-the-batch", whole_batch,
                 "The largest probability of the whole batch was used: every "
                 "row has one of its own."),
                *rows.other_axes(logits, lambda x: by_rows(x, keep),
                                 "The probabilities were taken along the wrong "
                                 "dimension: the vocabulary is the last one.")]
    return Case("decoding.min_p", group, (Call("min_p", (logits, least)),),
                Value(by_rows(logits, keep), mistakes))


def min_p_draw(generator: torch.Generator, shape: tuple[int, ...], least: float,
               dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Random logits of which every row is clear of the threshold."""
    return rows.draw(generator, shape, lambda row: clear_share(row, least, MARGIN[dtype]), dtype)


def min_p_cases(generator: torch.Generator) -> list[Case]:
    """Cases of min_p."""
    textbook = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    made = [min_p_case(M_SHARE, textbook, 0.2)]
    for shape, least, dtype in (((12,), 0.05, torch.float32), ((4, 9), 0.1, torch.float32),
                                ((2, 3, 6), 0.3, torch.float64),
                                ((3, 7), 0.2, torch.float16), ((3, 7), 0.2, torch.bfloat16)):
        made.append(min_p_case(M_SHARE, min_p_draw(generator, shape, least, dtype), least))
    for logits, least in ((torch.randn(3, 6, generator=generator), 0.0),
                          (torch.randn(3, 6, generator=generator), 1.0),
                          (torch.tensor([2.0, -1.0, 2.0, 0.0]), 1.0),
                          (torch.tensor([[1.0, -INF, 0.5, -INF, -4.0]]), 0.1)):
        made.append(min_p_case(M_EDGES, logits, least))
    for least in (-0.1, 1.5):
        made.append(Case("decoding.min_p", M_INVALID, (Call("min_p", (textbook, least)),),
                         Refuse(f"{least:g}")))
    return made


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(3_000 + seed)
    return [*top_k_cases(generator), *min_p_cases(generator)]
