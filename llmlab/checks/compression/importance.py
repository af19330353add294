"""Checks of channel_importance and group_importance. Oracles: sums over plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from llmlab.checks.judging import Expect, judge
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

CHANNEL, GROUP = "compression.channel_importance", "compression.group_importance"
FLAT, BATCH = "one sequence", "several sequences"
PLAIN, SHARED = "one query head for each key-value head", "query heads that share"
READ = "part4/compression.html#sec-importance"
TASKS = (
    Task(CHANNEL, "lab6", "score the channels of an MLP on calibration text", {FLAT: 1, BATCH: 1}, READ),
    Task(GROUP, "lab6", "score key-value heads together with their query heads", {PLAIN: 1, SHARED: 1}, READ),
)
Score = Callable[[Sequence[float]], float]


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


SCORES: dict[str, tuple[Score, str]] = {
    "signed-mean": (lambda v: mean(v), "The mean was taken with signs: what is large both ways counts as "
                                       "nothing. Take "
                                       "the absolute value of each number first."),
    "absolute-value-of-the-mean": (lambda v: abs(mean(v)),
                                   "The absolute value was taken of the mean. Take it of each number, before "
                                   "the mean."),
    "sum-instead-of-mean": (lambda v: math.fsum(map(abs, v)), "The sum came back; the mean is asked for."),
    "mean-of-squares": (lambda v: mean([x * x for x in v]), "Squares were averaged; absolute values are asked for."),
    "root-mean-square": (lambda v: math.sqrt(mean([x * x for x in v])),
                         "The root of the mean square came back; the mean of absolute values is asked for."),
    "largest-instead-of-mean": (lambda v: max(map(abs, v)), "The largest value came back; the mean is asked for."),
}  # fmt: skip


def right(values: Sequence[float]) -> float:
    """The oracle for one channel."""
    return mean([abs(x) for x in values])


def channel_case(group: str, generator: torch.Generator, shape: tuple[int, ...]) -> Case:
    """One call of channel_importance."""
    given = torch.randn(shape, generator=generator) * 2 + torch.randn(shape[-1], generator=generator)
    columns = given.double().reshape(-1, shape[-1]).T.tolist()
    wrong = {name: (torch.tensor([rule(c) for c in columns]), words) for name, (rule, words) in SCORES.items()}
    wrong["over-the-channels"] = (given.abs().mean(-1), "The mean ran over the channels. Each channel has its own.")
    if len(shape) > 2:
        wrong["one-score-for-each-sequence"] = (given.abs().mean(-2), "Each sequence got scores of its own. The "
                                                                      "mean runs "
                                                                      "over all sequences and tokens.")  # fmt: skip
        wrong["first-sequence-only"] = (given[0].abs().mean(0), "Only the first sequence was counted.")
    return Case(CHANNEL, group, (Call("channel_importance", (given,)),),
                Expect(torch.tensor([right(c) for c in columns]), wrong))  # fmt: skip


def owned(given: Tensor, heads: Sequence[int]) -> list[float]:
    """All numbers of these heads."""
    return given.double()[:, list(heads)].flatten().tolist()


def group_case(group: str, generator: torch.Generator, batch: int, heads: int, kv: int) -> Case:
    """One call of group_importance."""
    given = torch.randn(batch, heads, 3, 4, generator=generator) * torch.rand(heads, 1, 1, generator=generator) * 3
    given = given + torch.randn(heads, 1, 1, generator=generator)
    share = heads // kv
    parts = [[h for h in range(heads) if h // share == k] for k in range(kv)]
    wrong = {name: (torch.tensor([rule(owned(given, p)) for p in parts]), words)
             for name, (rule, words) in SCORES.items()}  # fmt: skip
    if share > 1:
        tiled = [[h for h in range(heads) if h % kv == k] for k in range(kv)]
        if kv > 1:
            wrong["kv-heads-tiled"] = (torch.tensor([right(owned(given, p)) for p in tiled]),
                                       "Query head h was counted with key-value head h % K. Neighbours share: h "
                                       "// (H / K).")
        wrong["each-query-head-alone"] = (torch.tensor([right(owned(given, [h])) for h in range(heads)]),
                                          "Every query head got a score. They cannot go one by one: a key-value "
                                          "head is "
                                          "shared, so the group stays or goes.")
        wrong["first-head-of-each-group"] = (torch.tensor([right(owned(given, p[:1])) for p in parts]),
                                             "Only the first query head of each group was counted.")
        wrong["heads-added"] = (torch.tensor([right(owned(given, p)) * share for p in parts]),
                                "The heads of a group were added up; the mean is asked for.")  # fmt: skip
    return Case(GROUP, group, (Call("group_importance", (given, kv)),),
                Expect(torch.tensor([right(owned(given, p)) for p in parts]), wrong))  # fmt: skip


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(96_000 + seed)
    made = [channel_case(FLAT, generator, shape) for shape in ((7, 5), (1, 4))]
    made += [channel_case(BATCH, generator, (3, 4, 6))]
    made += [group_case(PLAIN, generator, 2, 3, 3)]
    return made + [group_case(SHARED, generator, *shape) for shape in ((2, 6, 3), (1, 6, 2), (2, 4, 1))]
