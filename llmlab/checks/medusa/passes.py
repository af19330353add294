"""Checks of tree_pass on a tiny model in parts. Oracle: each node's path as a text of its own, without any tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.checks.compare import difference, mutation, show, value_of
from llmlab.checks.kv_cache.counts import embedded
from llmlab.checks.kv_cache.tiny import Tiny, TrustedCache
from llmlab.checks.medusa.trees import BUSHY, SEES, Parents, Sees, ancestor, path_of
from llmlab.checks.protocol import Call, Case, Event, Output, Remote, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

TASK = "medusa.tree_pass"
ALONE, PAST = "each node as its path alone", "behind a past"
TASKS = (
    Task(TASK, "lab5", "run a tree through the target in one pass", {ALONE: 2, PAST: 2},
         "part4/medusa.html#sec-tree-pass"),
)  # fmt: skip
TOLERANCE = 1e-4
"""Rounding in float32 makes 1e-6; the wrong rules below differ by 0.05 and more (a test holds this)."""


class TreeCache(TrustedCache):
    """A trusted cache that can keep chosen columns; it may hold a text already."""

    def __init__(self, tiny: Tiny, past: Sequence[int] = ()):
        super().__init__(tiny.layers)
        if past:
            x = tiny.embedding[torch.tensor(past)]
            where = torch.arange(len(past))
            for layer in range(tiny.layers):
                q, k, v = tiny.qkv(layer, x, where)
                self.append(layer, k[None], v[None])
                x = tiny.finish(layer, x, attend(tiny, q, k, v, square_of(len(past))))

    def keep(self, columns: Sequence[int]) -> None:
        """Keep these columns of every layer, in this order."""
        if isinstance(columns, Tensor):
            columns = columns.tolist() if columns.dim() == 1 and columns.numel() < 512 else None
        held = self.length()
        if not isinstance(columns, list | tuple) or any(type(c) is not int for c in columns):
            raise ValueError(f"keep takes a list of column numbers, got {show(columns)[:80]}")
        if len(set(columns)) < len(columns) or any(not 0 <= c < held for c in columns):
            raise ValueError(f"cannot keep columns {show(list(columns))[:80]} of {held}")
        chosen = torch.tensor(list(columns), dtype=torch.int64)
        self.kept = [pair and (pair[0][:, :, chosen], pair[1][:, :, chosen]) for pair in self.kept]


def cache_of(tiny: Tiny, past: Sequence[int] = ()) -> Remote:
    """The cache as students get it, with a text in it."""
    return Remote("cache", lambda: TreeCache(tiny, past), ("append", "length", "keep"), {}, 2_000)


def square_of(size: int) -> Tensor:
    return torch.ones(size, size, dtype=torch.bool).tril()


def attend(tiny: Tiny, q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
    """(H, T, d) queries over (K, S, d) keys under a mask (T, S)."""
    share = tiny.heads // tiny.kv_heads
    k, v = k.repeat_interleave(share, 0), v.repeat_interleave(share, 0)
    scores = (q @ k.transpose(1, 2)) / tiny.head_dim**0.5
    return scores.masked_fill(~seen, -torch.inf).softmax(-1).nan_to_num(0) @ v


def right(tiny: Tiny, past: Sequence[int], tokens: Sequence[int], parents: Parents) -> Tensor:
    """The oracle: x (N, D), float64; a node's row is the last one of past and path."""
    rows = []
    for node in range(len(tokens)):
        path = [tokens[other] for other in path_of(parents, node)]
        rows.append(tiny.whole([*past, *path])[-1])
    return torch.stack(rows)


@dataclass(frozen=True)
class Rule:
    """A way to run a tree: the place of a node (past, index, depth), whom it sees, and of the past what."""

    words: str
    place: Callable[[int, int, int], int] = lambda past, index, depth: past + depth
    sees: Sees = ancestor
    sees_past: Callable[[int, int], bool] = lambda column, index: True


RULES = {
    "positions-by-index": Rule(
        "Each node's position was its number in the tree. It is its depth: siblings stand in the same place.",
        place=lambda past, index, depth: past + index),
    "positions-restart-at-zero": Rule(
        "The positions began at 0 again. The root stands behind the past.", place=lambda past, index, depth: depth),
    "positions-one-too-far": Rule(
        "Every position is one too large: the root's is the length of the past.",
        place=lambda past, index, depth: past + depth + 1),
    "positions-all-the-same": Rule(
        "All nodes got the root's position. A child stands one place behind its parent.",
        place=lambda past, index, depth: past),
    "tree-as-plain-text": Rule(
        "The tree was run as if it were one text: each node saw all nodes before it, at positions counted one "
        "by one.",
        place=lambda past, index, depth: past + index, sees=SEES["siblings-attend"][0]),
    **{name: Rule(words, sees=sees) for name, (sees, words) in SEES.items() if name != "mask-inverted"},
    "mask-hides-past": Rule("The past was hidden. Every node sees all of it.", sees_past=lambda c, i: False),
    "mask-from-the-corner": Rule(
        "The tree's mask was put on the first columns, those of the past. The nodes are the last columns.",
        sees_past=lambda c, i: c <= i),
}  # fmt: skip


def run(tiny: Tiny, past: Sequence[int], tokens: Sequence[int], parents: Parents, rule: Rule) -> Tensor:
    """x (N, D) of the nodes under a rule, float64, past and tree computed together."""
    size, depth = len(past), [len(path_of(parents, node)) - 1 for node in range(len(tokens))]
    where = [*range(size), *(rule.place(size, i, d) for i, d in enumerate(depth))]
    seen = square_of(size + len(tokens))
    for i in range(len(tokens)):
        for column in range(size):
            seen[size + i, column] = rule.sees_past(column, i)
        for j in range(len(tokens)):
            seen[size + i, size + j] = bool(rule.sees(parents, i, j))
    x = tiny.embedding[torch.tensor([*past, *tokens])]
    for layer in range(tiny.layers):
        q, k, v = tiny.qkv(layer, x, torch.tensor(where))
        x = tiny.finish(layer, x, attend(tiny, q, k, v, seen))
    return x[size:]


@dataclass(frozen=True, eq=False)
class Grown:
    """A tree behind a past."""

    tiny: Tiny
    past: list[int]
    tokens: list[int]
    parents: list[int]


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """The rows first, then that it was one pass."""
    value, bad = value_of(outputs[-1])
    if bad:
        return bad
    given = case.expect.tiny, case.expect.past, case.expect.tokens, case.expect.parents
    want = right(*given)[None]
    said = difference(want, value.double() if floats(value) else value, TOLERANCE)
    if said:
        for name, rule in RULES.items():
            told = run(*given, rule)[None]
            if difference(want, told, TOLERANCE) and not difference(told, as_double(value), TOLERANCE):
                return Verdict(False, f"{rule.words} ({said})", show(want.float()), show(value), name)
        if isinstance(value, Tensor) and value.shape == (1, len(given[2]), given[0].vocab):
            return Verdict(False, "Logits came back; x is asked for, (1, N, D).", show(want.float()), show(value))
        return Verdict(False, f"The rows differ: {said}", show(want.float()), show(value))
    sizes = embedded(events)
    if sizes != [(1, len(given[2]))]:
        shown = ", ".join(f"{rows}x{columns}" for rows, columns in sizes[:6])
        return Verdict(False, f"The rows are right, but {len(sizes)} passes were made ({shown}). The point of a "
                              f"tree is "
                              f"that one pass of {len(given[2])} rows checks every path.",
                       f"one pass of {len(given[2])} "
                       f"rows", f"{len(sizes)} passes", "a-pass-for-each-path")  # fmt: skip
    return mutation(outputs[-1])


def floats(value) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def as_double(value):
    return value.double() if floats(value) else value


def pass_case(group: str, generator: torch.Generator, tiny: Tiny, length: int, parents: Parents) -> Case:
    """One call of tree_pass, with a past of this length."""
    text = torch.randint(1, tiny.vocab, (length + len(parents),), generator=generator).tolist()
    grown = Grown(tiny, text[:length], text[length:], list(parents))
    call = Call("tree_pass", (tiny.remote(), cache_of(tiny, grown.past), torch.tensor(grown.tokens), grown.parents))
    shown = f"tree_pass(model, cache of {length} tokens, {len(parents)} tokens, parents {list(parents)})"
    return Case(TASK, group, (call,), grown, shown)


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator, tiny = torch.Generator().manual_seed(93_000 + seed), Tiny(930 + seed, 4, 2)
    return [
        pass_case(ALONE, generator, tiny, 0, (-1, 0, 1, 2)),
        pass_case(ALONE, generator, tiny, 0, (-1, 0, 0, 1, 1, 2)),
        pass_case(PAST, generator, tiny, 4, (-1, 0, 0, 0, 2)),
        pass_case(PAST, generator, Tiny(935 + seed, 3, 1), 3, BUSHY),
    ]
