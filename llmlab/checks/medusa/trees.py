"""Checks of candidate_tree, tree_mask and best_path. Oracles: trees as lists of paths, from the root down."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from llmlab.checks.compare import mutation, raises, show, value_of
from llmlab.checks.judging import Expect, Refuse
from llmlab.checks.judging import judge as judge_value
from llmlab.checks.protocol import Call, Case, Event, Output, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

TREE, MASK, BEST = "medusa.candidate_tree", "medusa.tree_mask", "medusa.best_path"
NODES, INVALID = "tokens and parents", "invalid sizes"
PLAIN, BRANCHES = "a chain and a star", "branches of several depths"
ONE, MISS = "one branch is right", "matches behind a miss"
READ = "part4/medusa.html#sec-"
TASKS = (
    Task(TREE, "lab5", "make a tree of the heads' best tokens", {NODES: 2, INVALID: 1}, READ + "candidate-tree"),
    Task(MASK, "lab5", "let each node see its ancestors and nobody else", {PLAIN: 1, BRANCHES: 1},
         READ + "tree-mask"),
    Task(BEST, "lab5", "follow the target's own choices down the tree", {ONE: 1, MISS: 1}, READ + "best-path"),
)  # fmt: skip
Parents = Sequence[int]
Nodes = tuple[list[int], list[int]]


def path_of(parents: Parents, node: int) -> list[int]:
    """The nodes from the root to this one."""
    return ([] if parents[node] < 0 else path_of(parents, parents[node])) + [node]


# --- candidate_tree -------------------------------------------------------------------------------------------


def ranked(row: Sequence[float]) -> list[int]:
    """Tokens, the likeliest first."""
    return sorted(range(len(row)), key=lambda token: -row[token])


def numbered(first: int, paths: Sequence[tuple[int, ...]]) -> Nodes:
    """Tokens and parents of nodes given as paths of candidate numbers and tokens: ((number, token), ...)."""
    order = {path: node for node, path in enumerate([(), *paths])}
    tokens = [first] + [path[-1][1] for path in paths]
    return tokens, [-1] + [order.get(path[:-1], 0) for path in paths]


def paths_of(logits: Sequence[Sequence[float]], tops: Sequence[int], choose: Callable = ranked) -> list[tuple]:
    """Every node of the tree as the path of (number among its siblings, token) that leads to it, by depth."""
    depth, out = [()], []
    for row, top in zip(logits, tops, strict=False):
        depth = [(*path, pair) for path in depth for pair in enumerate(choose(row)[:top])]
        out += depth
    return out


def tree(first: int, logits: Tensor, tops: Sequence[int]) -> Nodes:
    """The oracle."""
    return numbered(first, paths_of(logits.tolist(), tops))


def wrong_trees(first: int, logits: Tensor, tops: Sequence[int]) -> dict[str, tuple[Nodes, str]]:
    """What known mistakes make."""
    rows = logits.tolist()
    paths = paths_of(rows, tops)
    tokens, parents = numbered(first, paths)
    preorder = sorted(paths, key=lambda path: [number for number, _ in path])
    across = sorted(paths, key=lambda path: (len(path), [number for number, _ in reversed(path)]))
    thin = [path for path in paths if all(number == 0 for number, _ in path[:-1])]
    upside = sorted(paths, key=lambda path: (len(path), [-number for number, _ in path]))
    early = paths_of([rows[0]] * len(tops), tops)
    found = {
        "least-likely-candidates": (numbered(first, paths_of(rows, tops, lambda r: ranked(r)[::-1])),
                                    "The least likely tokens were taken."),
        "candidates-ascending": (numbered(first, upside), "Below each parent the likelier token comes first."),
        "numbered-depth-first": (numbered(first, preorder),
                                 "The nodes were numbered branch by branch. They are numbered depth by depth."),
        "numbered-token-first": (numbered(first, across),
                                 "Within a depth the nodes were ordered by candidate. They go in the order of their "
                                 "parents."),
        "only-the-best-branches": (numbered(first, thin),
                                   "Only the likeliest node of each depth got children. Every node gets them."),
        "first-head-at-every-depth": (numbered(first, early),
                                      "Head 0 was used at every depth. Depth k + 1 is head k's."),
        "all-under-the-root": ((tokens, [-1] + [0] * (len(tokens) - 1)), "Every node was put under the root."),
        "root-missing": ((tokens[1:], [parent - 1 for parent in parents[1:]]),
                         "The root is missing: node 0 is the token that the target has chosen already."),
        "root-has-a-parent": ((tokens, [0, *parents[1:]]), "The root's parent is -1, not 0."),
    }  # fmt: skip
    if len(rows) > len(tops):
        late = paths_of(rows[1:], tops)
        found["head-offset-by-one"] = (numbered(first, late),
                                       "Depth 1 was made of head 1. The root is the target's own token, t + 1; head "
                                       "0 guesses the one after it, so it makes depth 1.")  # fmt: skip
    return found


def judge_tree(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Tokens and parents, as tensors or lists."""
    if isinstance(case.expect, Refuse):
        return raises(outputs[-1], case.expect.kind, case.expect.names)
    value, bad = value_of(outputs[-1])
    if bad:
        return bad
    right, wrong = case.expect
    if not isinstance(value, tuple | list) or len(value) != 2:
        return Verdict(False, "Return two things: tokens (N,) and the list of parents.", str(right), show(value))
    got = whole(value[0]), whole(value[1])
    if got == right:
        return mutation(outputs[-1])
    for name, (nodes, words) in wrong.items():
        if nodes == got and nodes != right:
            return Verdict(False, words, str(right), show(value), name)
    return Verdict(False, "This is another tree (tokens, parents).", str(right), show(value))


def whole(value) -> list[int] | None:
    """A list of ints from a list, tuple or tensor of whole numbers; None of anything else."""
    if isinstance(value, Tensor):
        flat = value.dim() == 1 and not value.is_floating_point() and not value.is_complex()
        return value.tolist() if flat and value.numel() < 5_000 else None
    if isinstance(value, list | tuple) and all(isinstance(v, Tensor) and v.dim() == 0 for v in value):
        value = [v.item() for v in value]
    fine = isinstance(value, list | tuple) and all(type(v) is int for v in value)
    return list(value) if fine else None


def tree_case(generator: torch.Generator, n: int, vocab: int, tops: Sequence[int]) -> Case:
    """One call of candidate_tree, without ties."""
    logits = torch.stack([torch.randperm(vocab, generator=generator) for _ in range(n)]) * 0.7 - 3
    first = int(torch.randint(vocab, (1,), generator=generator))
    expect = tree(first, logits, tops), wrong_trees(first, logits, tops)
    return Case(TREE, NODES, (Call("candidate_tree", (first, logits, tops)),), expect)


# --- tree_mask ------------------------------------------------------------------------------------------------

Sees = Callable[[Parents, int, int], bool]


def ancestor(parents: Parents, node: int, other: int) -> bool:
    """The oracle: is `other` this node, or above it?"""
    return other in path_of(parents, node)


SEES: dict[str, tuple[Sees, str]] = {
    "siblings-attend": (lambda p, i, j: j <= i,
                        "Each node sees every node before it, siblings and other branches too. They are other "
                        "texts: a node sees its ancestors and itself."),
    "same-depth-attends": (lambda p, i, j: ancestor(p, i, j) or p[i] == p[j],
                           "Each node sees its siblings. They are other texts."),
    "mask-transposed": (lambda p, i, j: ancestor(p, j, i),
                        "The mask is turned round: each node sees what comes after it. Rows are those who look."),
    "mask-hides-itself": (lambda p, i, j: i != j and ancestor(p, i, j), "A node does not see itself here. It does."),
    "sees-parent-only": (lambda p, i, j: j in (i, p[i]),
                         "A node sees itself and its parent, but not the ancestors above."),
    "sees-root-only": (lambda p, i, j: j in (i, 0), "A node sees itself and the root, but not who is between."),
    "mask-missing": (lambda p, i, j: True, "Everybody sees everybody."),
    "mask-inverted": (lambda p, i, j: not ancestor(p, i, j), "The mask is inverted: True means that a node is seen."),
}  # fmt: skip


def square(parents: Parents, rule: Sees = ancestor) -> Tensor:
    """The mask (N, N) of a rule."""
    size = range(len(parents))
    return torch.tensor([[bool(rule(parents, i, j)) for j in size] for i in size])


def mask_case(group: str, parents: Parents) -> Case:
    """One call of tree_mask."""
    wrong = {name: (square(parents, rule), words) for name, (rule, words) in SEES.items()}
    return Case(MASK, group, (Call("tree_mask", (list(parents),)),), Expect(square(parents), wrong))


# --- best_path ------------------------------------------------------------------------------------------------


def accepted(tokens: Sequence[int], parents: Parents, choices: Sequence[int], path: Sequence[int]) -> list[bool]:
    """For each node of a path below the root: is its token the choice after its parent?"""
    return [tokens[node] == choices[parents[node]] for node in path[1:]]


def best(tokens: Sequence[int], parents: Parents, choices: Sequence[int]) -> list[int]:
    """The oracle: of all paths from the root that are accepted throughout, the longest."""
    paths = [path_of(parents, node) for node in range(len(parents))]
    return max((p for p in paths if all(accepted(tokens, parents, choices, p))), key=len)


def wrong_paths(tokens: Sequence[int], parents: Parents, choices: Sequence[int]) -> dict[str, tuple[list, str]]:
    """What known mistakes return."""
    paths = [path_of(parents, node) for node in range(len(parents))]
    right = best(tokens, parents, choices)
    first = [0]
    while True:
        child = next((n for n, parent in enumerate(parents) if parent == first[-1]), None)
        if child is None or tokens[child] != choices[first[-1]]:
            break
        first.append(child)
    own = max((p for p in paths if all(tokens[n] == choices[n] for n in p[1:])), key=len)
    most = max(paths, key=lambda p: sum(accepted(tokens, parents, choices, p)))
    count = sum(accepted(tokens, parents, choices, most))
    prefix = most[: 1 + (accepted(tokens, parents, choices, most) + [False]).index(False)]
    loose = [0] + [n for n in range(1, len(parents)) if tokens[n] == choices[parents[n]]]
    deepest = max(paths, key=len)
    return {
        "counts-matches-behind-a-miss": (most[: count + 1],
                                         "The path with the most matches was taken, also matches behind a miss. "
                                         "After "
                                         "a miss the target has read another text: what follows does not count."),
        "longest-not-best": (prefix, "The path with the most matches was chosen, and then cut at its first miss. The "
                                     "best path is the one with the most matches *before* its first miss."),
        "deepest-path": (deepest, "The deepest path came back, whether the target agrees or not."),
        "first-child-only": (first, "Only the first child of each node was looked at."),
        "compares-with-its-own-choice": (own, "Each node's token was compared with the target's choice after *that* "
                                              "node. It must be the choice after its parent."),
        "accepts-orphans": (loose, "Nodes were accepted whose parents were not."),
        "returns-tokens": ([tokens[n] for n in right], "The tokens came back; node numbers are asked for."),
        "root-missing": (right[1:], "The root is missing: it is always accepted."),
    }  # fmt: skip


def judge_path(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """A list of nodes."""
    value, bad = value_of(outputs[-1])
    if bad:
        return bad
    right, wrong = case.expect
    got = whole(value)
    if got == right:
        return mutation(outputs[-1])
    for name, (nodes, words) in wrong.items():
        if nodes == got:
            return Verdict(False, words, str(right), show(value), name)
    return Verdict(False, "These are other nodes.", str(right), show(value))


def path_case(group: str, tokens: Sequence[int], parents: Parents, choices: Sequence[int]) -> Case:
    """One call of best_path."""
    expect = best(tokens, parents, choices), wrong_paths(tokens, parents, choices)
    call = Call("best_path", (torch.tensor(tokens), list(parents), torch.tensor(choices)))
    return Case(BEST, group, (call,), expect)


def drawn_path(group: str, generator: torch.Generator, parents: Parents) -> Case:
    """Siblings of different tokens, and choices that often meet one of them; a miss that has matches behind it."""
    while True:
        tokens = [20]
        for node in range(1, len(parents)):
            brothers = [tokens[j] for j in range(1, node) if parents[j] == parents[node]]
            free = [t for t in range(6) if t not in brothers]
            tokens.append(free[int(torch.randint(len(free), (1,), generator=generator))])
        choices = torch.randint(6, (len(parents),), generator=generator).tolist()
        right, wrong = best(tokens, parents, choices), wrong_paths(tokens, parents, choices)
        telling = ("first-child-only", "compares-with-its-own-choice")
        telling = telling if group == ONE else ("accepts-orphans", "longest-not-best")
        named = [next(n for n, (nodes, _) in wrong.items() if nodes == wrong[name][0]) for name in telling]
        if len(right) > 1 and right not in [wrong[name][0] for name in telling] and named == list(telling):
            return path_case(group, tokens, parents, choices)


BUSHY = (-1, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6)
ODD = (-1, 0, 0, 0, 2, 2, 4, 1, 6)


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Each task has its own kind of answer."""
    return {TREE: judge_tree, MASK: judge_value, BEST: judge_path}[case.task](case, outputs, events)


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(92_000 + seed)
    shapes = ((2, 9, (2,)), (3, 8, (3, 2)), (3, 7, (2, 1, 2)), (2, 5, (1, 1)))
    made = [tree_case(generator, *shape) for shape in shapes]
    rows = torch.zeros(2, 4)
    for tops, names in (((2, 0), "0"), ((-1,), "-1"), ((1, 1, 1), "3")):
        made.append(Case(TREE, INVALID, (Call("candidate_tree", (1, rows, tops)),), Refuse(names)))
    made += [mask_case(PLAIN, parents) for parents in ((-1,), (-1, 0, 1, 2), (-1, 0, 0, 0))]
    made += [mask_case(BRANCHES, parents) for parents in (BUSHY, ODD)]
    made += [drawn_path(ONE, generator, parents) for parents in ((-1, 0, 0, 0, 1, 2, 3), ODD)]
    made.append(path_case(ONE, [3, 1, 2], [-1, 0, 0], [4, 1, 2]))
    made += [drawn_path(MISS, generator, BUSHY) for _ in range(2)]
    return made
