"""Checks of LookupDraft: which earlier place is found, what follows it, and the one-hot q that goes with it.

The oracle lists every earlier place of every length and takes the longest match, and the newest of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.checks.compare import difference, mutation, show, value_of
from llmlab.checks.protocol import PASS, Case, Do, Event, New, Output, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

TASK = "speculative.LookupDraft"
FOUND, SHORTER, PROPOSED = (
    "the newest earlier place",
    "shorter n-grams, and none",
    "filled up, with a one-hot q",
)
TASKS = (
    Task(
        TASK,
        "lab5",
        "draft what followed the same tokens earlier in the text",
        {FOUND: 2, SHORTER: 1, PROPOSED: 1},
        "part4/drafts.html#sec-lookup",
    ),
)
Rule = Callable[[list[int], int, int], list[int]]


def found(
    tokens: list[int],
    most: int,
    gamma: int,
    *,
    newest: bool = True,
    longest: bool = True,
    least: int = 1,
    itself: bool = False,
    with_match: bool = False,
    over_the_end: bool = False,
    late: int = 0,
) -> list[int]:
    """The oracle of lookup. Each argument makes it wrong."""
    places = [
        (n, start)
        for n in range(least, most + 1)
        for start in range(len(tokens) - n + itself)
        if start >= 0 and n < len(tokens) + itself and tokens[start : start + n] == tokens[len(tokens) - n :]
    ]
    if not places:
        return []
    n, start = max(
        places, key=lambda place: (place[0] if longest else -place[0], place[1] if newest else -place[1])
    )
    behind = start if with_match else start + n + late
    if over_the_end:  # goes on in a circle: what is drafted is looked at, too
        text = list(tokens)
        for i in range(gamma):
            text.append(text[behind + i])
        return text[len(tokens) :]
    return tokens[behind : behind + gamma]


RULES: dict[str, tuple[dict, str]] = {
    "matches-itself": (
        {"itself": True},
        "The last n tokens were found at the end of the text, where they stand: nothing follows "
        "there. Look for an earlier place.",
    ),
    "takes-the-oldest": ({"newest": False}, "The first place in the text was taken; take the newest."),
    "shortest-first": (
        {"longest": False},
        "The shortest match was taken. Look for n tokens first, then for fewer.",
    ),
    "one-token-only": (
        {"longest": False, "newest": False},
        "The shortest match was taken, the oldest of them.",
    ),
    "includes-the-match": ({"with_match": True}, "The matched tokens came back. Return what follows them."),
    "one-token-late": ({"late": 1}, "The first token behind the match is missing."),
    "goes-over-the-end": (
        {"over_the_end": True},
        "The continuation goes on behind the end of the text. It stops there.",
    ),
}


@dataclass(frozen=True, eq=False)
class Looked:
    """One lookup, or one propose of several texts (`rows`)."""

    n: int
    rows: list[list[int]]
    gamma: int
    vocab: int
    whole: bool  # propose, not lookup

    def right(self, **rule) -> list[list[int]]:
        return [found(row, self.n, self.gamma, **rule) for row in self.rows]

    def filled(self, **rule) -> Tensor:
        return torch.tensor(
            [
                (new + (new or row)[-1:] * self.gamma)[: self.gamma]
                for new, row in zip(self.right(**rule), self.rows, strict=True)
            ]
        )


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """The tokens, and for propose also q."""
    want = case.expect
    for output in outputs:
        value, bad = value_of(output)
        if bad:
            return bad
    verdict = proposal(want, value) if want.whole else lookup(want, value)
    return verdict if not verdict.ok else mutation(outputs[-1])


def rules_of(want: Looked) -> dict[str, tuple[dict, str]]:
    """The known mistakes of a lookup of up to n tokens."""
    words = f"Only {want.n} tokens were looked up. If they are new, look for one fewer, down to one."
    return {"no-shorter-ngrams": ({"least": want.n}, words), **RULES}


def lookup(want: Looked, got: object) -> Verdict:
    """One lookup."""
    got = got.tolist() if isinstance(got, Tensor) else list(got) if isinstance(got, tuple) else got
    right = want.right()[0]
    if not isinstance(got, list) or not all(type(t) is int for t in got):
        return Verdict(False, "lookup returns a list of token ids.", str(right), show(got))
    if got == right:
        return PASS
    shown = str(right), show(got)
    for name, (rule, words) in rules_of(want).items():
        if want.right(**rule)[0] == got:
            return Verdict(False, words, *shown, name)
    if len(got) > want.gamma and got[: want.gamma] == right:
        return Verdict(False, f"At most gamma = {want.gamma} tokens.", *shown, "ignores-gamma")
    return Verdict(False, "Other tokens came back.", *shown)


def proposal(want: Looked, got: object) -> Verdict:
    """One propose."""
    right = want.filled()
    q = torch.nn.functional.one_hot(right, want.vocab).float()
    shape = f"(drafted {tuple(right.shape)} int64, q {tuple(q.shape)})"
    if not isinstance(got, tuple | list) or len(got) != 2 or not all(isinstance(x, Tensor) for x in got):
        return Verdict(False, f"propose returns two tensors, {shape}.", shape, show(got))
    drafted, told = got
    if drafted.shape != right.shape or drafted.is_floating_point() or not torch.equal(drafted.long(), right):
        for name, (rule, words) in rules_of(want).items():
            if drafted.shape == right.shape and torch.equal(want.filled(**rule), drafted.long()):
                return Verdict(False, words, show(right), show(drafted), name)
        return Verdict(
            False,
            "Other tokens were drafted: fill up with the last drafted token, or the text's last one.",
            show(right),
            show(drafted),
        )
    said = difference(q, told)
    if not said:
        return PASS
    if told.shape == q.shape and bool((told == 1 / want.vocab).all()):
        return Verdict(
            False,
            "q is uniform. A draft that always proposes this token has q = 1 there.",
            show(q),
            show(told),
            "q-not-one-hot",
        )
    if told.shape == q.shape and not bool(((told == 0) | (told == 1)).all() and (told.sum(-1) == 1).all()):
        return Verdict(
            False,
            f"q should be 1 for the drafted token and 0 for all others: {said}",
            show(q),
            show(told),
            "q-not-one-hot",
        )
    return Verdict(False, f"q: {said}", show(q), show(told))


def lookup_case(group: str, tokens: list[int], n: int, gamma: int, vocab: int = 12) -> Case:
    """One lookup."""
    return Case(
        TASK,
        group,
        (New("draft", "LookupDraft", (n, vocab)), Do("draft", "lookup", (tokens, gamma))),
        Looked(n, [tokens], gamma, vocab, False),
        f"LookupDraft({n}, {vocab}).lookup({tokens}, {gamma})",
    )


def propose_case(rows: list[list[int]], n: int, gamma: int, vocab: int = 12) -> Case:
    """One propose."""
    return Case(
        TASK,
        PROPOSED,
        (
            New("draft", "LookupDraft", (n, vocab)),
            Do("draft", "propose", (rows, torch.full((len(rows), gamma), 0.5, dtype=torch.float64))),
        ),
        Looked(n, rows, gamma, vocab, True),
        f"LookupDraft({n}, {vocab}).propose({rows}, uniforms of {gamma} columns)",
    )


def cases(seed: int) -> list[Case]:
    """Cases of this file's task. The names of the tokens change with the seed; what repeats does not."""
    names = torch.randperm(12, generator=torch.Generator().manual_seed(55_000 + seed)).tolist()
    a, b, c, d, e, f, g, h = names[:8]
    twice = [a, b, c, d, a, b, e, f, a, b]  # (a, b) stands twice before; f, a, b is new
    nested = [d, a, b, c, h, b, g, d, a, b]  # (d, a, b) once, (b) twice
    walk = torch.randint(3, (14,), generator=torch.Generator().manual_seed(seed)).tolist()
    return [
        lookup_case(FOUND, twice, 2, 3),
        lookup_case(FOUND, twice, 2, 9),
        lookup_case(FOUND, nested, 3, 2),
        lookup_case(FOUND, [names[t] for t in walk], 3, 4),
        lookup_case(FOUND, [a, a, a, a], 2, 3),
        lookup_case(SHORTER, [a, b, c, d, b, e, c], 3, 2),
        lookup_case(SHORTER, twice, 4, 2),
        lookup_case(SHORTER, [a, b, c, d], 3, 2),
        lookup_case(SHORTER, [a], 3, 2),
        lookup_case(SHORTER, [a, b, a], 5, 4),
        propose_case([twice, [a, b, c], nested], 2, 4),
        propose_case([[a, b, c, a]], 3, 2),
    ]
