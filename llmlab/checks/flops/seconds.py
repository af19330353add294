"""Checks of roofline, decode_step and request_latency: the least time that work can take, and the time a user sees."""

from __future__ import annotations

import random

from llmlab.checks.flops.verdicts import NEVER, Mistakes, Right, Value, case
from llmlab.checks.flops.oracle import Shape, cached, draw, flops, held, products
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Task
from llmlab.models.shapes import ACCELERATORS, MODELS

MEMORY, COMPUTE, RIDGE = "memory-bound", "compute-bound", "the ridge, and no bytes"
STUDY, LARGE, WIDTH = "Llama-2-13B on an H100", "bound by arithmetic", "8 bits a number"
SEVERAL, SINGLE, INVALID = "several tokens", "one token", "impossible times"
TASKS = (
    Task("flops.roofline", "lab2", "find the least time and the bound of some work on an accelerator",
         {MEMORY: 1, COMPUTE: 2, RIDGE: 1}, "part2/roofline.html#sec-roofline"),
    Task("flops.decode_step", "lab2", "bound the time and the throughput of one decode step",
         {STUDY: 3, LARGE: 1, WIDTH: 1}, "part2/roofline.html#sec-decode-step"),
    Task("flops.request_latency", "lab2", "compute TTFT, ITL, TPOT and total time of a request",
         {SEVERAL: 2, SINGLE: 0.5, INVALID: 0.5}, "part2/prefill-decode.html#sec-request-latency"),
)
INVERTED = "These are bytes per FLOP; the intensity is FLOPs per byte."
SMALLER = "The smaller of the two times was taken. The slower part decides: take the larger."
ADDED = "The two times were added. Arithmetic and transfers overlap: take the larger."


def roofline_case(group: str, accelerator: dict, work: float, moved: float) -> Case:
    peak, bandwidth = accelerator["flops"], accelerator["bandwidth"]
    compute, transfer = work / peak, moved / bandwidth
    slow, fast = max(compute, transfer), min(compute, transfer)
    bound = "compute" if work * bandwidth >= moved * peak else "memory"
    right = {
        "intensity": Right(work / moved, {"intensity-inverted": (moved / work, INVERTED)}),
        "bound": Right(bound, {"bound-swapped": ("memory" if bound == "compute" else "compute",
                                                 "The other part is the slower one. At the ridge, where both take "
                                                 "the same "
                                                 "time, say \"compute\".")}),
        "seconds": Right(slow, {"min-for-max": (fast, SMALLER), "adds-times": (slow + fast, ADDED)}),
        "flops_per_second": Right(work / slow, {
            "min-for-max": (work / fast, "More than the roof allows: the lower of peak and bandwidth * intensity."),
            "adds-times": (work / (slow + fast), ADDED)}),
    }
    return case("roofline", group, Call("roofline", (accelerator, work, moved)), right)


def step_case(group: str, model: Shape, accelerator: dict, batch: int, context: int,
              width: float | None = None) -> Case:
    """One call; without `width` the default of 2 bytes is used."""
    size = 2 if width is None else width
    weights, cache = held(model) * size, cached(model, batch, context) * size
    listed = products(model, batch, 1, context, 1)
    work, peak, bandwidth = flops(listed), accelerator["flops"], accelerator["bandwidth"]
    moved = weights + cache
    many = weights + cached({**model, "kv_heads": model["heads"]}, batch, context) * size
    if many == moved:
        many = NEVER
    slow, fast = max(work / peak, moved / bandwidth), min(work / peak, moved / bandwidth)
    bytes_wrong = {
        "latency-without-weights": (cache, "The weights are missing: each step reads all of them."),
        "latency-without-cache": (weights, "The KV cache is missing: each step reads all of it."),
        "weights-for-every-sequence": (weights * batch + cache, "The weights were read once for each sequence. One "
                                                                "reading "
                                       "serves the whole batch: that is why batching pays."),
        "cache-of-one-sequence": (weights + cache / batch, "The cache of one sequence was counted; each has its "
                                                           "own."),
        "query-heads-in-cache": (many, "The cache was counted with the query heads."),
        "keys-only": (weights + cache / 2, "Keys were counted, values not."),
        "ignores-width": (moved / size * 2, "Two bytes were taken for each number, whatever bytes_per_value says."),
    }
    flops_wrong = {
        "decode-recomputes-context": (flops(products(model, batch, context, context, 1)),
                                      "The whole context was computed again; with a cache only the new token is."),
        "ignores-older-tokens": (flops(products(model, batch, 1, 1, 1)), "The older tokens are missing from scores "
                                                                         "and values."),
        "work-of-one-sequence": (work // batch, "The work of one sequence was counted."),
        "two-flops-per-parameter": (2 * held(model) * batch, "That is the rule of thumb; take forward_flops."),
    }
    right = {
        "bytes": Right(moved, bytes_wrong),
        "flops": Right(work, flops_wrong),
        "seconds": Right(slow, {
            "adds-times": (slow + fast, ADDED),
            **({"min-for-max": (fast, SMALLER)} if moved / bandwidth == slow else
               {"transfer-only": (fast, "Only the transfer was counted. Here the arithmetic is slower.")}),
            "seconds-per-sequence": (slow / batch, "The time was divided by the batch: the step takes as long for "
                                                   "all of "
                                     "them as for one.")}),
        "tokens_per_second": Right(batch / slow, {
            "throughput-of-one-sequence": (1 / slow, "That is what one user sees. All sequences together get "
                                                     "`batch` tokens "
                                           "in a step."),
            "throughput-inverted": (slow / batch, "That is seconds per token; turn it over."),
            "throughput-times-seconds": (batch * slow if batch > 1 else NEVER, "Divide the batch by the seconds.")}),
    }
    call = Call("decode_step", (model, accelerator, batch, context) if width is None else
                (model, accelerator, batch, context, width))
    return case("decode_step", group, call, right)


def latency_case(group: str, start: float, arrivals: list[float]) -> Case:
    first, last, n = arrivals[0], arrivals[-1], len(arrivals)
    gaps = [b - a for a, b in zip(arrivals, arrivals[1:], strict=False)]
    tpot: Value = (last - first) / (n - 1) if n > 1 else None
    mean = (last - first) / max(1, n - 1)
    wrong_tpot: dict[str, tuple[Value, str]] = {
        "tpot-divides-by-tokens": ((last - first) / n if n > 1 else NEVER, "N tokens have N - 1 gaps between them."),
        "tpot-includes-ttft": ((last - start) / n, "The wait for the first token was counted; it is TTFT."),
        "tpot-of-nothing": (0 if n == 1 else NEVER, "With one token there is no gap, so no mean: return None."),
        "tpot-is-median": (sorted(gaps)[len(gaps) // 2] if gaps else NEVER, "The mean of the gaps is asked for."),
    }
    right = {
        "ttft": Right(first - start, {"ttft-is-a-clock-reading": (first, "That is when the first token came. Take "
                                                                         "the time "
                                                                  "since the request.")}),
        "itl": Right(gaps, {"itl-includes-ttft": ([first - start, *gaps], "The gaps lie between tokens; the wait "
                                                                          "for the "
                                                  "first one is TTFT.")}),
        "tpot": Right(tpot, wrong_tpot),
        "total": Right(last - start, {
            "total-starts-at-first-token": (last - first, "The total starts with the request, not with the first "
                                                          "token."),
            "total-multiplies-by-tokens": (first - start + mean * n, "TTFT already holds the first token, so TPOT "
                                                                     "counts "
                                           "N - 1 times, not N."),
            "total-is-a-clock-reading": (last, "That is when the last token came. Take the time since the "
                                               "request.")}),
    }
    return case("request_latency", group, Call("request_latency", (start, arrivals)), right)


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    rng = random.Random(60_000 + seed)
    chip = {"flops": 1000.0, "bandwidth": 8.0, "memory": 1e6}
    h100 = ACCELERATORS["H100 SXM"]
    made = [roofline_case(MEMORY, chip, 3000.0, rng.choice((120.0, 136.0))),
            roofline_case(MEMORY, h100, 2.6e10, 2.7e10),
            roofline_case(COMPUTE, chip, rng.choice((70_000.0, 90_000.0)), 96.0),
            roofline_case(COMPUTE, h100, 5e13, 3e10),
            roofline_case(RIDGE, chip, 5000.0, 40.0),
            Case("flops.roofline", RIDGE, (Call("roofline", (chip, 10.0, 0)),), Refuse("0")),
            Case("flops.roofline", RIDGE, (Call("roofline", (chip, 10.0, -3)),), Refuse("-3"))]
    llama = MODELS["Llama-2-13B"]
    made += [step_case(STUDY, llama, h100, 1, 1024), step_case(STUDY, llama, h100, rng.choice((48, 64)), 1024),
             step_case(STUDY, {**llama, "kv_heads": 8}, h100, 256, 1024)]
    small = draw(rng, grouped=True, gated=True)
    slow = {"flops": 1e7, "bandwidth": 1e9, "memory": 1e9}
    made += [step_case(LARGE, small, slow, 4, 77), step_case(WIDTH, small, h100, 4, rng.choice((301, 457)), 1)]
    start = rng.choice((10.0, 20.0))
    made += [latency_case(SEVERAL, 2.0, [3.5, 4.0, 4.25, 6.0]),
             latency_case(SEVERAL, start, [start + 0.75 + 0.125 * i * i for i in range(9)]),
             latency_case(SINGLE, start, [start + 0.5]),
             Case("flops.request_latency", INVALID, (Call("request_latency", (1.0, [])),), Refuse("[]")),
             Case("flops.request_latency", INVALID, (Call("request_latency", (1.0, [2.0, 1.75])),), Refuse("1.75"))]
    return made
