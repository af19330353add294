"""The numeric questions of the labs, and whether an answer to one is a number that could be right.

Public: students have this file. It holds no value and computes none. The keys, and the values that known
mistakes lead to, are computed on the instructor's side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from llmlab.checks.protocol import PASS, Verdict


@dataclass(frozen=True)
class Question:
    """One number that a student reports.

    `id` is the key in ANSWERS and, after "answer-", the grade id of its test cell. `unit` says what the
    number counts, `whole` that it is a count. Every possible answer lies in [`low`, `high`]: bounds that hold
    for any model, so they tell nothing about this one. `read` is the section of the book.
    """

    id: str
    lab: str
    title: str
    points: float
    unit: str
    read: str
    whole: bool = False
    low: float = -math.inf
    high: float = math.inf


VOCABULARY = 2048
LARGEST = 10**15
HIGHEST_ENTROPY = 7.63
"""Just above ln 2048, the largest entropy that a distribution over the shipped vocabulary can have."""

QUESTIONS: tuple[Question, ...] = (
    Question("entropy-t1", "lab1", "entropy of the next token at T = 1", 2, "nats",
             "part1/logits.html#sec-log-probs", low=0, high=HIGHEST_ENTROPY),
    Question("entropy-t2", "lab1", "entropy of the next token at T = 2", 2, "nats",
             "part1/sampling.html#sec-temperature", low=0, high=HIGHEST_ENTROPY),
    Question("nucleus-size", "lab1", "number of tokens in the nucleus at p = 0.9", 2, "tokens",
             "part1/truncation.html#sec-top-p", whole=True, low=1, high=VOCABULARY),
    Question("first-choice", "lab1", "probability of the first choice after T = 1.5, k = 20, p = 0.8", 2,
             "probability", "part1/truncation.html#sec-top-k-top-p", low=0, high=1),
    Question("repeated-4grams", "lab1", "share of repeated 4-grams in 180 greedy tokens without an end", 2,
             "share from 0 to 1", "part1/sampling.html#sec-greedy", low=0, high=1),
    Question("beam-gain", "lab1", "log-probability that 4 beams gain over greedy in 12 tokens", 2, "nats",
             "part1/beam.html#sec-beam-search", low=0, high=100),
    Question("flip-alpha", "lab1", "length exponent at which two hypotheses are worth the same", 2, "no unit",
             "part1/beam.html#sec-length-penalty", low=0, high=10),
    Question("multiplied", "lab1", "probability of a repeated token under the lecture's rule", 2,
             "probability", "part1/penalties.html#sec-repetition-penalty", low=0, high=1),
    Question("square-share", "lab2", "share of scores and values in a layer of Llama-3.1-8B at 8,192 tokens", 2,
             "share from 0 to 1", "part2/counting.html#sec-layer-flops", low=0, high=1),
    Question("flops-per-parameter", "lab2", "FLOPs per parameter and token of a forward pass of Llama-2-70B", 2,
             "FLOPs", "part2/counting.html#sec-forward-flops", low=0, high=1000),
    Question("cache-gain", "lab2", "FLOPs without a cache over those with one, GPT-2, 10 + 100 tokens", 2, "ratio",
             "part2/prefill-decode.html#sec-generation-flops", low=0, high=10**6),
    Question("kv-gib", "lab2", "KV cache of Llama-2-70B for 16 sequences of 4,096 tokens", 2, "GiB",
             "part2/prefill-decode.html#sec-kv-bytes", low=0, high=10**7),
    Question("compute-bound-rows", "lab2", "fewest compute-bound rows of the first map of an MLP on an H100", 2,
             "rows", "part2/roofline.html#sec-roofline", whole=True, low=1, high=10**6),
    Question("throughput-limit", "lab2", "throughput that ever larger batches of Llama-3.1-8B approach", 2,
             "tokens per second", "part2/roofline.html#sec-decode-step", low=0, high=10**9),
    Question("batch-on-a100", "lab2", "largest batch of Llama-2-13B with 2,048 tokens on an A100", 2, "sequences",
             "part2/roofline.html#sec-memory-plan", whole=True, low=0, high=10**6),
    Question("total-time", "lab2", "time from a request to its last token", 2, "seconds",
             "part2/prefill-decode.html#sec-request-latency", low=0, high=10**4),
    Question("bidirectional-layers", "lab3", "layers whose old keys change without a causal mask", 2, "layers",
             "part3/kv-cache.html#sec-changed-rows", whole=True, low=0, high=4),
    Question("cache-bytes", "lab3", "bytes that the cache of the target holds for one token", 2, "bytes",
             "part3/kv-cache.html#sec-cache-class", whole=True, low=1, high=10**9),
    Question("growth-copied", "lab3", "tokens copied while a doubling cache takes 1,000 tokens", 2, "tokens",
             "part3/kv-cache.html#sec-cache-class", whole=True, low=0, high=10**6),
    Question("restart-nats", "lab3", "cost of a token when decode positions restart at 0", 2, "nats",
             "part3/incremental.html#sec-forward", low=0, high=1000),
    Question("rollback-length", "lab3", "length to which a cache is cut after a rejection", 2, "tokens",
             "part3/kv-cache.html#sec-cache-class", whole=True, low=0, high=20),
    Question("rows-ratio", "lab3", "rows without a cache over rows with one, 10 + 50 tokens", 2, "ratio",
             "part3/incremental.html#sec-generate-cached", low=0, high=10**4),
    Question("window-reach", "lab3", "tokens that can influence the last one, 4 layers, window 16", 2, "tokens",
             "part3/kv-cache.html#sec-window-cache", whole=True, low=1, high=1000),
    Question("refused-with-room", "lab4", "steps at which a request is refused with enough free slots", 2, "steps",
             "part3/waste.html#sec-fragmentation", whole=True, low=0, high=300),
    Question("samples-blocks", "lab4", "blocks of 8 samples of one prompt", 2, "blocks",
             "part3/sharing.html#sec-forks", whole=True, low=1, high=10**6),
    Question("chat-computed", "lab4", "prompt tokens to compute for six conversations with a prefix cache", 2, "tokens",
             "part3/sharing.html#sec-prefix-cache", whole=True, low=1, high=10**6),
    Question("waste-share", "lab4", "share of the allocated slots that is wasted with blocks of 128", 2,
             "share from 0 to 1", "part3/waste.html#sec-usage", low=0, high=1),
    Question("timer-median", "lab4", "median time of a kernel on the simulated device", 2, "microseconds",
             "part2/timing.html#sec-median", low=0, high=100_000),
    Question("graph-gain", "lab4", "how many times faster a step is as a graph", 2, "no unit",
             "part2/timing.html#sec-graphs", low=0, high=1_000),
    Question("roof-share", "lab4", "share of its roof that a measured attention reaches", 2, "share from 0 to 1",
             "part2/measured.html#sec-measured-roofline", low=0, high=100),
    Question("step-mbu", "lab4", "bandwidth utilisation of a measured decoding step", 2, "share from 0 to 1",
             "part2/measured.html#sec-utilisation", low=0, high=100),
    Question("perfect-mfu", "lab4", "FLOPs utilisation of a decoding step that wastes nothing", 2, "share from 0 to 1",
             "part2/measured.html#sec-utilisation", low=0, high=100),
    Question("equal-rule-tv", "lab5", "distance from p of what the lecture's rule writes", 2, "total variation",
             "part4/speculative.html#sec-residual", low=0, high=1),
    Question("mean-alpha", "lab5", "mean acceptance rate on a line of JSON at T = 0.7", 2, "share from 0 to 1",
             "part4/speculative.html#sec-alpha", low=0, high=1),
    Question("tokens-at-six", "lab5", "tokens of a pass with six drafted tokens at a rate of 0.75", 2, "tokens",
             "part4/speculative.html#sec-expected-tokens", low=0, high=100),
    Question("break-even-alpha", "lab5", "acceptance rate at which drafting neither helps nor harms", 2,
             "share from 0 to 1", "part4/speculative.html#sec-best-gamma", low=0, high=1),
    Question("busy-speedup", "lab5", "speed-up on a busy server", 2, "no unit",
             "part4/speculative.html#sec-best-gamma", low=0, high=100),
    Question("lookup-passes", "lab5", "passes of the target with a lookup draft", 2, "passes",
             "part4/drafts.html#sec-lookup", whole=True, low=0, high=1_000),
    Question("medusa-passes", "lab5", "passes over a tree for 61 tokens", 2, "passes",
             "part4/medusa.html#sec-medusa-generate", whole=True, low=0, high=1_000),
    Question("typical-tv", "lab5", "mean distance from p of what typical acceptance writes", 2, "total variation",
             "part4/medusa.html#sec-typical", low=0, high=1),
    Question("group-gain", "lab6", "factor by which groups of 32 lower the error of a matrix in 4 bits", 2, "no unit",
             "part4/quantization.html#sec-symmetric", low=0, high=10**6),
    Question("e4m3-numbers", "lab6", "different finite numbers of E4M3", 2, "numbers",
             "part4/numbers.html#sec-fp8", whole=True, low=0, high=256),
    Question("gb-70b", "lab6", "size of Llama-2-70B in 4 bits, scales counted", 2, "GB",
             "part4/quantization.html#sec-bits-per-weight", low=0, high=10**6),
    Question("gptq-ratio", "lab6", "factor by which GPTQ lowers the error of an output", 2, "no unit",
             "part4/calibration.html#sec-gptq", low=0, high=10**6),
    Question("outlier-ratio", "lab6", "growth of the outlier model's perplexity in 4 bits, groups of 32", 2, "no unit",
             "part4/calibration.html#sec-quantize-model", low=0, high=10**6),
    Question("half-pruned", "lab6", "growth of perplexity with half of the channels", 2, "no unit",
             "part4/compression.html#sec-prune-channels", low=0, high=10**6),
)


def question(name: str) -> Question:
    """The question with this id. Raises LookupError, listing the ids there are."""
    for found in QUESTIONS:
        if found.id == name:
            return found
    raise LookupError(f"There is no question {name!r}. There are: {', '.join(q.id for q in QUESTIONS)}.")


def judge_format(question: Question, value: Any) -> Verdict:
    """Whether `value` is a number that could answer the question; says nothing about whether it does.

    >>> judge_format(QUESTIONS[2], 7).ok
    True
    >>> judge_format(QUESTIONS[2], "7").message
    "'7' is text; write the number without quotes."
    >>> judge_format(QUESTIONS[2], 2.5).message
    '2.5 is not a whole number, but tokens are counted.'
    """
    if value is None:
        return Verdict(False, "Not answered yet: replace None by your number.", misconception="not-answered")
    if isinstance(value, str):
        return Verdict(False, f"{_short(value)} is text; write the number without quotes.", got=_short(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = type(value).__name__
        return Verdict(False, f"The answer is of type {kind}; write a plain number.", got=kind)
    if abs(value) > LARGEST or not math.isfinite(value):
        return Verdict(False, f"{_short(value)} is no finite number; write one.", got=_short(value))
    if question.whole and value != int(value):
        return Verdict(False, f"{_short(value)} is not a whole number, but {question.unit} are counted.",
                       got=_short(value))
    if not question.low <= value <= question.high:
        return Verdict(False, f"{_short(value)} cannot be right: the {question.title} lies between "
                       f"{question.low:g} and {question.high:g} ({question.unit}). Check unit and sign.",
                       got=_short(value))
    return PASS


def _short(value: Any) -> str:
    """The value as it is quoted: never longer than a line, also for an integer of thousands of digits."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST:
        return f"an integer of {value.bit_length()} bits"
    text = f"{value:.10g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
