"""Checks of prune_groups and prune_channels. Oracles: matrices picked apart row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from llmlab.checks.compare import mutation, raises, show, value_of
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Call, Case, Event, Output, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

GROUPS, CHANNELS = "compression.prune_groups", "compression.prune_channels"
PLAIN, SHARED = "one query head for each key-value head", "query heads that share"
INVALID = "a number that is not there"
SOME = "rows of gate and up, columns of down"
READ = "part4/compression.html#sec-"
TASKS = (
    Task(GROUPS, "lab6", "take key-value heads out together with their query "
                         "heads", {PLAIN: 1, SHARED: 1, INVALID: 1},
         READ + "prune-heads"),
    Task(CHANNELS, "lab6", "take channels out of an MLP", {SOME: 1, INVALID: 1}, READ + "prune-channels"),
)  # fmt: skip
Weights = Mapping[str, Tensor]
Wrong = dict[str, tuple[Weights, str]]


def rows(weight: Tensor, kept: Sequence[int]) -> Tensor:
    """These rows, one by one."""
    return torch.stack([weight[i] for i in kept])


def columns(weight: Tensor, kept: Sequence[int]) -> Tensor:
    return rows(weight.T, kept).T.contiguous()


def spread(heads: Sequence[int], width: int) -> list[int]:
    """The rows of these heads."""
    return [head * width + i for head in heads for i in range(width)]


def groups(weights: Weights, keep: Sequence[int], heads: int, kv: int) -> tuple[Weights, Wrong]:
    """The pruned layer, and what known mistakes make of it."""
    width, share, stream = len(weights["q_proj"]) // heads, heads // kv, len(weights["o_proj"])

    def made(query: Sequence[int], key: Sequence[int], o: Tensor | None = None) -> Weights:
        o = columns(weights["o_proj"], query) if o is None else o
        return {**weights, "q_proj": rows(weights["q_proj"], query), "k_proj": rows(weights["k_proj"], key),
                "v_proj": rows(weights["v_proj"], key), "o_proj": o}  # fmt: skip

    mine = [h for h in range(heads) if h // share in keep]
    query, key = spread(mine, width), spread(keep, width)
    gone = [k for k in range(kv) if k not in keep]
    wrong = {
        "rows-of-o-instead-of-columns": (made(query, key, rows(weights["o_proj"], [i % stream for i in query])),
                                         "o_proj lost rows. A head writes through its columns; the rows are the "
                                         "stream's."),
        "o-left-whole": (made(query, key, weights["o_proj"]), "o_proj was left whole: it would read heads that "
                                                              "are gone."),
        "kv-heads-left-whole": (made(query, range(kv * width)),
                                "k_proj and v_proj were left whole. The kept query heads would read other "
                                "key-value heads "
                                "than before."),
        "head-width-forgotten": (made(mine, list(keep)),
                                 "Single rows were taken for heads. Head h owns rows h·d to (h + 1)·d - 1."),
        "head-rows-strided": (made([i * heads + h for h in mine for i in range(width)],
                                   [i * kv + k for k in keep for i in range(width)]),
                              "The rows of a head were taken as every H-th row. They are neighbours."),
    }  # fmt: skip
    if gone:
        left = [h for h in range(heads) if h // share in gone]
        wrong["removes-what-to-keep"] = (made(spread(left, width), spread(gone, width)),
                                         "What should be kept was removed, and the rest kept.")  # fmt: skip
    if share > 1:
        tiled = [h for h in range(heads) if h % kv in keep]
        wrong["kv-heads-tiled"] = (made(spread(tiled, width), key),
                                   "Query head h was kept with key-value head h % K. Neighbours share: h // (H / K).")
        wrong["query-heads-by-group-number"] = (made(spread(keep, width), key),
                                                "The numbers of key-value heads were used for query heads too. Each "
                                                "key-value head has H / K query heads.")  # fmt: skip
    return made(query, key), wrong


def channels(weights: Weights, keep: Sequence[int]) -> tuple[Weights, Wrong]:
    """The pruned layer, and what known mistakes make of it."""
    gate, up, down = (weights[name] for name in ("gate_proj", "up_proj", "down_proj"))
    gone = [c for c in range(len(gate)) if c not in keep]

    def made(g: Tensor, u: Tensor, d: Tensor) -> Weights:
        return {**weights, "gate_proj": g, "up_proj": u, "down_proj": d}

    small = rows(gate, keep), rows(up, keep)
    wrong = {
        "rows-of-down-instead-of-columns": (made(*small, rows(down, [i % len(down) for i in keep])),
                                            "down_proj lost rows. It reads the channels: they are its columns. "
                                            "Its rows "
                                            "are the stream's."),
        "down-left-whole": (made(*small, down), "down_proj was left whole: it would read channels that are gone."),
        "up-left-whole": (made(small[0], up, columns(down, keep)), "up_proj was left whole: it makes the "
                                                                   "channels too."),
        "columns-of-gate-and-up": (made(columns(gate, [i % gate.shape[1] for i in keep]),
                                        columns(up, [i % up.shape[1] for i in keep]), columns(down, keep)),
                                   "gate_proj and up_proj lost columns. They make the channels: one row for each."),
        "removes-what-to-keep": (made(rows(gate, gone), rows(up, gone), columns(down, gone)),
                                 "What should be kept was removed, and the rest kept."),
    }  # fmt: skip
    return made(*small, columns(down, keep)), wrong


def shapes(value) -> str:
    """Name and shape of each matrix."""
    if not isinstance(value, dict):
        return show(value)
    return ", ".join(f"{n} {tuple(w.shape) if isinstance(w, Tensor) else type(w).__name__}" for n, w in value.items())


def same(want: Weights, got) -> bool:
    return (isinstance(got, dict) and set(got) == set(want)
            and all(isinstance(got[n], Tensor) and torch.equal(got[n], want[n]) for n in want))  # fmt: skip


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """A dict of matrices, exactly."""
    if isinstance(case.expect, Refuse):
        return raises(outputs[-1], case.expect.kind, case.expect.names)
    value, bad = value_of(outputs[-1])
    if bad:
        return bad
    want, wrong = case.expect
    if same(want, value):
        return mutation(outputs[-1])
    for name, (told, words) in wrong.items():
        if same(told, value) and not same(want, told):
            return Verdict(False, words, shapes(want), shapes(value), name)
    if not isinstance(value, dict) or set(value) != set(want):
        return Verdict(False, "Return a dict with the same names as the layer that came in, the other matrices "
                              "included.",
                       shapes(want), shapes(value), "other-names")  # fmt: skip
    off = next(n for n in want if not isinstance(value[n], Tensor) or not torch.equal(value[n], want[n]))
    return Verdict(False, f"{off} differs: {show(value[off])} instead of "
                          f"{show(want[off])}", shapes(want), shapes(value))


def layer(generator: torch.Generator, heads: int, kv: int, width: int, stream: int, mlp: int) -> Weights:
    """A layer with random weights."""
    sizes = {"q_proj": (heads * width, stream), "k_proj": (kv * width, stream), "v_proj": (kv * width, stream),
             "o_proj": (stream, heads * width), "gate_proj": (mlp, stream), "up_proj": (mlp, stream),
             "down_proj": (stream, mlp)}  # fmt: skip
    return {name: torch.randn(size, generator=generator) for name, size in sizes.items()}


def group_case(group: str, weights: Weights, keep: Sequence[int], heads: int, kv: int) -> Case:
    """One call of prune_groups."""
    call = Call("prune_groups", (weights, list(keep), heads, kv))
    return Case(GROUPS, group, (call,), groups(weights, keep, heads, kv),
                f"prune_groups(weights, {list(keep)}, {heads}, {kv}), o_proj "
                f"{tuple(weights['o_proj'].shape)}")  # fmt: skip


def channel_case(weights: Weights, keep: Sequence[int]) -> Case:
    """One call of prune_channels."""
    return Case(CHANNELS, SOME, (Call("prune_channels", (weights, list(keep))),), channels(weights, keep),
                f"prune_channels(weights, {list(keep)}), down_proj {tuple(weights['down_proj'].shape)}")  # fmt: skip


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks. In some layers a mix-up has another shape, in some it has not."""
    generator = torch.Generator().manual_seed(97_000 + seed)
    plain, shared = layer(generator, 3, 3, 2, 8, 7), layer(generator, 6, 3, 2, 12, 12)
    wide = layer(generator, 4, 2, 3, 12, 9)
    made = [
        group_case(PLAIN, plain, [0, 2], 3, 3),
        group_case(PLAIN, plain, [1], 3, 3),
        group_case(SHARED, shared, [0, 2], 6, 3),
        group_case(SHARED, wide, [1], 4, 2),
        channel_case(plain, [0, 3, 4, 6]),
        channel_case(shared, [1, 2, 5, 8, 9, 10]),
    ]
    for keep, names in (([0, 3], "3"), ([-1], "-1")):
        made.append(Case(GROUPS, INVALID, (Call("prune_groups", (plain, keep, 3, 3)),), Refuse(names),
                         f"prune_groups(weights of 3 heads, {keep}, 3, 3)"))  # fmt: skip
    for keep, names in (([1, 7], "7"), ([-2, 0], "-2")):
        made.append(Case(CHANNELS, INVALID, (Call("prune_channels", (plain, keep)),), Refuse(names),
                         f"prune_channels(weights of 7 channels, {keep})"))  # fmt: skip
    return made
