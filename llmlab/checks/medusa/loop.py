"""Checks of generate: the tokens of greedy decoding, in as few passes as the heads allow, and the columns kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from llmlab.checks.compare import mutation, raises, show, value_of
from llmlab.checks.judging import Refuse
from llmlab.checks.kv_cache.counts import embedded
from llmlab.checks.kv_cache.tiny import Tiny
from llmlab.checks.medusa.passes import cache_of
from llmlab.checks.medusa.staged import MISS, Stage, staged
from llmlab.checks.medusa.trees import whole
from llmlab.checks.protocol import PASS, Call, Case, Event, Output, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

TASK = "medusa.generate"
TOKENS, PASSES, COLUMNS = "the tokens of greedy decoding", "tokens from each pass", "columns that stay in the cache"
TASKS = (
    Task(TASK, "lab5", "write several tokens a pass, and the text of greedy decoding",
         {TOKENS: 2, PASSES: 1, COLUMNS: 1}, "part4/medusa.html#sec-medusa-generate"),
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of the cache: of the prompt (passes 0), or a node of a tree. `node` counts from 0."""

    number: int
    node: int


def states(events: Sequence[Event], prompt: int) -> list[list[Column]]:
    """What the cache held when each pass over a tree began, from what was appended and kept."""
    held: list[Column] = []
    found, number = [], 0
    for event in events:
        if event.kind != "cache" or "value" not in event.data:
            continue
        args, kwargs = event.data["args"], event.data["kwargs"]
        if event.data["method"] == "append" and (args[0] if args else kwargs["layer"]) == 0:
            keys = kwargs["keys"] if "keys" in kwargs else args[1]
            if number or len(held) >= prompt:
                found.append(list(held))
                number += 1
            held += [Column(number, node) for node in range(keys.shape[2])]
        elif event.data["method"] == "keep":
            held = [held[column] for column in whole(args[0] if args else kwargs["columns"]) or []]
    return found


def wanted_states(stage: Stage) -> list[list[Column]]:
    """What it should have held."""
    held, found = [Column(0, node) for node in range(len(stage.prompt))], []
    for number, path in enumerate(stage.paths(), start=1):
        found.append(list(held))
        held += [Column(number, node) for node in path]
    return found


def columns(stage: Stage, events: Sequence[Event]) -> Verdict:
    """Whether the cache held the prompt and the accepted nodes, and nothing else, at every pass."""
    got, want = states(events, len(stage.prompt)), wanted_states(stage)
    for number, (have, right) in enumerate(zip(got, want, strict=False)):
        if have == right:
            continue
        path = stage.paths()[number - 1] if number else []
        said = f"before pass {number + 1} over a tree: {len(have)} columns held, {len(right)} expected"
        last = [column.node for column in have if column.number == number] if number else []
        shown = f"nodes {path} of the last tree", f"nodes {last}"
        if not number:
            return Verdict(False, f"The prompt's columns must all be in the cache ({said}).", *shown)
        if set(right) < set(have):
            return Verdict(False, "Rows of rejected branches stayed in the cache, and later tokens saw them. "
                                  "Keep the "
                                  f"past and the path's nodes only "
                                  f"({said}).", *shown, "rejected-rows-kept")  # fmt: skip
        if last == list(range(len(path))):
            return Verdict(False, "The cache was cut to the right length, but it kept the tree's first rows, "
                                  "not those "
                                  f"of the path. A path's nodes lie scattered: past + node for each ({said}).",
                           *shown, "keeps-the-first-rows")  # fmt: skip
        if set(have) < set(right):
            return Verdict(False, "Rows of accepted tokens are missing in the cache. Keep the past and every node of "
                                  f"the path, the root too ({said}).", *shown, "accepted-rows-dropped")  # fmt: skip
        if set(have) == set(right):
            return Verdict(False, f"The right columns were kept, in another order "
                                  f"({said}).", *shown, "columns-shuffled")
        if sorted(path) == sorted(c.node + 1 for c in have if c.number == number) or number and not all(
            c in have for c in right if not c.number
        ):
            return Verdict(False, "The columns that were kept are numbers of nodes, without the past before "
                                  "them: node "
                                  f"i of the tree is column past + i "
                                  f"({said}).", *shown, "node-is-not-a-column")  # fmt: skip
        return Verdict(False, f"Other columns were kept ({said}).", *shown)
    return PASS


def wrong_texts(stage: Stage) -> dict[str, tuple[list[int], str]]:
    """What known mistakes write."""
    text, sizes, n = stage.text, stage.sizes(), stage.n
    no_bonus, doubled, at = [text[0]], [text[0]], 0
    for size in sizes:
        no_bonus += text[at + 1 : at + size]
        doubled += text[at : at + size + 1]
        at += size
    return {
        "returns-prompt-too": (stage.prompt + text[:n], "The prompt came back as well. Return the new tokens only."),
        "drops-first-token": (text[1 : n + 1],
                              "The first new token is missing: the prompt's last row chooses it, before any tree."),
        "drops-bonus-token": (no_bonus,
                              "The bonus token is missing: after the path's last node the target has chosen one more "
                              "token, which is part of the text."),
        "repeats-the-root": (doubled[:n], "The root was written twice: it is the bonus of the pass before."),
        "returns-too-many": (text[: 1 + sum(sizes)], "More than max_new_tokens came back: drop what is beyond."),
    }  # fmt: skip


def tokens(stage: Stage, value: object) -> Verdict:
    """Whether this is the greedy text, or that of a known mistake."""
    right = stage.text[: stage.n]
    if not isinstance(value, tuple | list) or len(value) != 2:
        return Verdict(False, "Return two lists: the new tokens, and how many each pass "
                              "gave.", str(right), show(value))
    got = whole(value[0])
    if got == right:
        return PASS
    for name, (text, words) in wrong_texts(stage).items():
        begun = name == "drops-bonus-token" and got is not None and len(text) > 2 and got[: len(text)] == text
        if (text == got or begun) and text != right[: len(text)]:
            return Verdict(False, words, str(right), show(value[0]), name)
    if got is None:
        return Verdict(False, "The tokens should be a list of ints.", str(right), show(value[0]))
    at = next((i for i, (a, b) in enumerate(zip(right, got, strict=False)) if a != b), min(len(right), len(got)))
    said = f"the first difference is new token {at}"
    guesses = [stage.offered[j][at - 1 - j][0] for j in range(max(0, at - len(stage.tops)), at)]
    drafted = at < len(got) and got[at] in guesses
    if drafted:
        return Verdict(False, "A token that a head guessed was written although the target chooses another one. "
                              "A head's "
                              f"guess counts only if it is the target's choice after its parent ({said}).",
                       str(right), show(value[0]), "draft-not-verified")  # fmt: skip
    return Verdict(False, f"This is not the text of greedy decoding: {said}.", str(right), show(value[0]))


def passes(stage: Stage, value: Sequence, events: Sequence[Event]) -> Verdict:
    """Whether each pass gave what it could, and was counted."""
    right, got = stage.sizes(), whole(value[1])
    made = len(embedded(events)) - 1
    shown = f"{len(right)} passes over a tree, giving {right}", f"{made} passes, giving {show(value[1])}"
    if got != right and got == stage.sizes(lambda at, size: at + 1):
        return Verdict(False, "The heads read the row of the root. They read the row of the path's last node, "
                              "the one "
                              "that chose the next root.", *shown, "heads-read-the-root")  # fmt: skip
    if made > len(right):
        if got is not None and set(got) == {1}:
            return Verdict(False, "The tokens are right, but every pass gave one: no candidate was ever accepted.",
                           *shown, "never-accepts")  # fmt: skip
        return Verdict(False, "The tokens are right, but more passes were made than these heads need. Do they "
                              "read the "
                              "row that chose the root? Do the tree's depths have the right heads?", *shown,
                       "too-many-passes")  # fmt: skip
    if made == len(right) and got == [size - 1 for size in right]:
        return Verdict(False, "A pass gives its accepted candidates and the bonus token: one was left out of "
                              "the count.",
                       *shown, "bonus-not-counted")  # fmt: skip
    if got != right:
        return Verdict(False, "The tokens are right; the second list should say how many each pass over a tree gave.",
                       *shown)  # fmt: skip
    return PASS


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """The tokens; where they are wrong, what the cache held may say why."""
    if isinstance(case.expect, Refuse):
        return raises(outputs[-1], case.expect.kind, case.expect.names)
    value, bad = value_of(outputs[-1])
    if bad:
        held = columns(case.expect, events)
        return bad if bad.misconception or held.ok else held
    verdict = tokens(case.expect, value)
    if case.group == COLUMNS or not (verdict.ok or verdict.misconception):
        held = columns(case.expect, events)
        verdict = verdict if held.ok else held
    if verdict.ok and case.group == PASSES:
        verdict = passes(case.expect, value, events)
    return verdict if not verdict.ok else mutation(outputs[-1])


def written(group: str, stage: Stage) -> Case:
    """One call of generate."""
    args = (stage.tiny.remote(), cache_of(stage.tiny), stage.heads, torch.tensor(stage.prompt), stage.n, stage.tops)
    sizes = f"{len(stage.heads)} heads, prompt of {len(stage.prompt)} tokens, {stage.n}, {stage.tops}"
    shown = f"generate(model, cache, {sizes})"
    return Case(TASK, group, (Call("generate", args),), stage, shown)


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    made = [
        written(TOKENS, staged(95_000 + seed, 3, 8, (2, 1), [[0, 0], [MISS, 0], [1, MISS]])),
        written(TOKENS, staged(95_100 + seed, 2, 5, (1,), [[MISS]], (3, 1))),
        written(PASSES, staged(95_200 + seed, 4, 9, (2, 2), [[1, 0], [0, MISS], [MISS, 1], [0, 1]])),
        written(COLUMNS, staged(95_300 + seed, 3, 9, (2, 2), [[1, 1], [1, 0], [0, 0], [MISS, MISS], [1, MISS]])),
    ]
    tiny = Tiny(seed, layers=1)
    for count in (0, -3):
        args = (tiny.remote(), cache_of(tiny), torch.zeros(1, 36, 36), torch.tensor([1, 2]), count, (1,))
        made.append(Case(TASK, TOKENS, (Call("generate", args),), Refuse(str(count))))
    return made
