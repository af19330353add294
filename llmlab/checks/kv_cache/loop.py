"""Checks of generate: the tokens of a greedy continuation, and how many rows went through the model for "
"them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.checks.compare import mutation, raises, show, value_of
from llmlab.checks.judging import Refuse
from llmlab.checks.kv_cache import counts
from llmlab.checks.kv_cache.engine import greedy, rules_for
from llmlab.checks.kv_cache.passes import texts
from llmlab.checks.kv_cache.tiny import Tiny, trusted_cache
from llmlab.checks.protocol import Call, Case, Do, Event, Handle, New, Output, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

TASK = "kv_cache.generate"
TOKENS, ROWS, BATCH = (
    "the tokens of greedy decoding",
    "rows that go through the model",
    "a batch with left padding",
)
TASKS = (
    Task(
        TASK,
        "lab3",
        "continue prompts with the cache, one row a step",
        {TOKENS: 3, ROWS: 3, BATCH: 2},
        "part3/incremental.html#sec-generate-cached",
    ),
)
LEAD = 0.02
"""A chosen token leads by at least this in its logit, so that rounding never decides."""


@dataclass(frozen=True, eq=False)
class Written:
    """A prompt batch, the tokens to come, and whether the rows are counted here."""

    tiny: Tiny
    ids: Tensor
    real: Tensor
    tokens: Tensor
    counted: bool
    own: bool

    @property
    def new(self) -> int:
        return self.tokens.shape[1]


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """The tokens first, then the rows."""
    run = case.expect
    if isinstance(run, Refuse):
        return raises(outputs[-1], run.kind, run.names)
    at = next(i for i, step in enumerate(case.steps) if isinstance(step, Call))
    value, bad = value_of(outputs[min(at, len(outputs) - 1)])
    if bad or len(outputs) <= at:
        return bad or value_of(outputs[-1])[1]
    verdict = tokens(run, value)
    if not verdict.ok:
        return verdict
    if not mutation(outputs[at]).ok:
        return mutation(outputs[at])
    batch, columns = run.ids.shape
    if run.counted:
        verdict = counted(events, batch, columns, run.new)
        if verdict.ok and not run.own:
            verdict = counts.appended(events, run.tiny, batch * (columns + run.new - 1))
    if verdict.ok and len(case.steps) > at + 1:
        held, bad = value_of(outputs[-1])
        want = columns + run.new - 1
        if bad:
            return bad
        if held != want:
            return Verdict(
                False,
                f"The tokens are right, but the cache holds {show(held)} columns in the end, not {want}: "
                f"the prompt's "
                f"{columns} and all new tokens but the last.",
                str(want),
                show(held),
            )
    return verdict


def counted(events: Sequence[Event], batch: int, columns: int, new: int) -> Verdict:
    """P + n - 1 rows a sequence, and logits of the last rows only."""
    needed, got = batch * (columns + new - 1), sum(b * c for b, c in counts.embedded(events))
    if got == needed + batch:
        return Verdict(
            False,
            "The tokens are right, but the last one was fed to the model too. Nobody asks what follows "
            "it: the "
            "last pass was for nothing.",
            f"{needed} rows embedded",
            f"{got} rows",
            "one-pass-too-many",
        )
    verdict = counts.rows(events, needed, batch * sum(columns + i for i in range(new)))
    logits = counts.of_logits(events)
    if verdict.ok and logits > batch * new:
        return Verdict(
            False,
            f"The tokens are right, but logits were computed for {logits} rows; {batch * new} choose a "
            f"token.",
            f"{batch * new} rows of logits",
            f"{logits} rows",
            "logits-of-every-row",
        )
    return verdict


def tokens(run: Written, value: object) -> Verdict:
    """Whether these are the right tokens, or those of a known mistake."""
    if isinstance(value, list | tuple) and value and all(isinstance(row, list | tuple) for row in value):
        flat = [t for row in value for t in row]
        if all(type(t) is int and 0 <= t < 2**31 for t in flat) and len({len(row) for row in value}) == 1:
            value = torch.tensor([list(row) for row in value])
    right = run.tokens
    if not isinstance(value, Tensor) or value.is_floating_point() or value.is_complex():
        return Verdict(False, "The new tokens should be a tensor (B, n) of int64.", show(right), show(value))
    batch, columns = run.ids.shape
    if tuple(value.shape) == (batch, columns + run.new):
        return Verdict(
            False,
            "The prompt came back as well. Return the new tokens only.",
            show(right),
            show(value),
            "returns-prompt-too",
        )
    if value.shape != right.shape:
        return Verdict(
            False, f"Expected shape {tuple(right.shape)}, got {tuple(value.shape)}.", show(right), show(value)
        )
    if torch.equal(value.long(), right):
        return Verdict(True)
    row = int((value.long() != right).any(1).nonzero()[0])
    where = f"(row {row}: expected {right[row].tolist()}, got {value[row].tolist()})"
    if run.new > 1 and torch.equal(value[:, :-1].long(), right[:, 1:]):
        return Verdict(
            False,
            f"The first new token is missing: the prefill's last row chooses it. {where}",
            show(right),
            show(value),
            "drops-first-token",
        )
    for name, (rules, words) in rules_for(run.tiny.kv_heads < run.tiny.heads, False).items():
        told = greedy(run.tiny, run.ids, run.real, run.new, rules)[0]
        if torch.equal(told, value.long()):
            return Verdict(False, f"{words} {where}", show(right), show(value), name)
    return Verdict(False, f"Other tokens were chosen {where}.", show(right), show(value))


def written(
    group: str,
    generator: torch.Generator,
    seed: int,
    lengths: Sequence[int],
    new: int,
    *,
    heads: tuple[int, int] = (4, 2),
    own: bool = False,
    counted: bool = False,
) -> Case:
    """A continuation in which rounding decides nothing and positions matter."""
    telling = (
        "positions-restart-at-zero",
        "mask-hides-past",
        *(("mask-padding-attended",) if len(set(lengths)) > 1 else ()),
    )
    while True:
        seed += 1_000
        tiny = Tiny(seed, *heads, layers=1)
        ids, real = texts(generator, tiny, lengths)
        right, lead = greedy(tiny, ids, real, new)
        if lead < LEAD or len(set(right[0].tolist())) < min(new, 3):
            continue
        if new == 1 or all(
            not torch.equal(greedy(tiny, ids, real, new, rules_for(True, False)[name][0])[0], right)
            for name in telling
        ):
            break
    run = Written(tiny, ids, real, right, counted, own)
    cache = Handle("cache") if own else trusted_cache(tiny)
    given = {"real": real} if len(set(lengths)) > 1 else {}
    steps = (Call("generate", (tiny.remote(), cache, ids, new), given),)
    if own:
        steps = (New("cache", "KVCache", (tiny.layers, 4)), *steps, Do("cache", "length"))
    sizes = ", ".join(map(str, lengths))
    shown = f"generate(model, {'your KVCache' if own else 'cache'}, prompts of {sizes} tokens, {new})"
    return Case(TASK, group, steps, run, shown)


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(47_000 + seed)
    tiny = Tiny(470 + seed)
    made = [
        written(TOKENS, generator, seed, (4,), 5),
        written(TOKENS, generator, seed + 1, (5, 5), 1, heads=(3, 1)),
        written(ROWS, generator, seed + 2, (6,), 5, counted=True),
        written(ROWS, generator, seed + 3, (1, 1), 6, counted=True),
        written(BATCH, generator, seed + 4, (3, 6), 4),
        written(BATCH, generator, seed + 5, (5, 2, 3), 3, own=True),
    ]
    for count in (0, -2):
        made.append(
            Case(
                TASK,
                TOKENS,
                (Call("generate", (tiny.remote(), trusted_cache(tiny), torch.tensor([[1, 2]]), count)),),
                Refuse(str(count)),
            )
        )
    return made
