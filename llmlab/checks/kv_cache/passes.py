"""Checks of forward and prefill on a tiny model in parts: every split, padding, rollback, window, and "
"what was asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from llmlab.checks.compare import difference, mutation, raises, show, value_of
from llmlab.checks.judging import Refuse
from llmlab.checks.kv_cache import counts
from llmlab.checks.kv_cache.engine import Pass, right, rules_for, simulate, splits
from llmlab.checks.kv_cache.places import left_padded
from llmlab.checks.kv_cache.tiny import Tiny, trusted_cache
from llmlab.checks.protocol import Call, Case, Do, Event, Handle, New, Output, Returned, Task, Verdict

__all__ = ["TASKS", "cases", "judge"]

FORWARD, PREFILL = "kv_cache.forward", "kv_cache.prefill"
SPLIT, GROUPED, PADDED = "every split of prefill and decode", "grouped and multi-query heads", "left padding"
ROLLBACK, WINDOW = "after a rollback", "sliding window"
CHUNKS, LAST, MASKED = "whole and in chunks", "passes and rows of logits", "padding, past and window"
READ = "part3/incremental.html#sec-"
TASKS = (
    Task(
        FORWARD,
        "lab3",
        "run only the new tokens through the model, with the past from the cache",
        {SPLIT: 4, GROUPED: 2, PADDED: 2, ROLLBACK: 2, WINDOW: 2},
        READ + "forward",
    ),
    Task(
        PREFILL,
        "lab3",
        "put a prompt into the cache in chunks",
        {CHUNKS: 2, LAST: 2, MASKED: 2},
        READ + "chunked-prefill",
    ),
)
TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Run:
    """Calls over a tiny model, each of one or more passes. `chunk`: these are calls of prefill, which "
    "returns logits."""

    tiny: Tiny
    calls: tuple[tuple[Pass, ...], ...]
    window: int | None = None
    trusted: bool = True
    chunk: int = 0
    expect: tuple[Tensor, ...] = ()

    @property
    def passes(self) -> list[Pass]:
        return [one for call in self.calls for one in call]

    def returned(self, xs: Sequence[Tensor]) -> list[Tensor]:
        """What each call returns, from x of every pass."""
        out, at = [], 0
        for call in self.calls:
            at += len(call)
            out.append(self.tiny.logits(xs[at - 1][:, -1]) if self.chunk else xs[at - 1])
        return out


def compare(want: Tensor, got: Any) -> str:
    """How a result differs, padding left out."""
    if not isinstance(got, Tensor) or got.shape != want.shape or not got.is_floating_point():
        return difference(want, got)
    return difference(want, torch.where(want.isnan(), want, got.double()), TOLERANCE)


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Right values first; then whether they were come by with the new rows alone."""
    run = case.expect
    if isinstance(run, Refuse):
        return raises(outputs[-1], run.kind, run.names)
    bad = value_of(outputs[-1])[1]
    if bad:
        return bad
    returned = [
        o
        for step, o in zip(case.steps, outputs, strict=True)
        if isinstance(step, Call) and isinstance(o, Returned)
    ]
    got = [output.value for output in returned]
    for number, (want, value) in enumerate(zip(run.expect, got, strict=True)):
        said = compare(want, value)
        if said:
            return recognised(run, number, got, said)
    for output in returned:
        if not mutation(output).ok:
            return mutation(output)
    new = sum(one.ids.numel() for one in run.passes)
    verdict = counts.rows(events, new, 0)
    if verdict.ok and run.chunk:
        verdict = counts.chunks(
            events, len(run.passes[0].ids), [one.new for one in run.passes], run.chunk, len(run.calls)
        )
    if verdict.ok and run.trusted:
        verdict = counts.appended(events, run.tiny, new)
    return verdict


def recognised(run: Run, number: int, got: list, said: str) -> Verdict:
    """The verdict on a wrong result: a rule that gives the same, or how it differs."""
    want, last = run.expect[number], run.calls[number][-1]
    new, past = sum(one.new for one in run.calls[number]), run.calls[number][0].past
    where = f"call {number + 1}: {new} new after {past}"
    shown = show(torch.where(want.isnan(), 0.0, want)), show(got[number])

    def same(xs: Sequence[Tensor]) -> bool:
        told = [torch.where(w.isnan(), w, t) for w, t in zip(run.expect, run.returned(xs), strict=True)][
            : number + 1
        ]
        return bool(compare(want, told[-1])) and not any(
            compare(t, g) for t, g in zip(told, got, strict=False)
        )

    for name, (rules, words) in rules_for(run.tiny.kv_heads < run.tiny.heads, run.window is not None).items():
        if same(simulate(run.tiny, run.passes, run.window, rules)):
            return Verdict(False, f"{words} ({where}: {said})", *shown, name)
    if run.chunk and last.new < run.chunk and len(run.calls[number]) > 1:
        cut = right(run.tiny, run.passes[:-1], run.window)
        if not compare(run.tiny.logits(cut[-1][:, -1]), got[number]):
            return Verdict(
                False,
                f"The last chunk, which is shorter, was left out. ({where}: {said})",
                *shown,
                "drops-last-chunk",
            )
    return Verdict(False, f"The result differs ({where}): {said}", *shown)


def texts(generator: torch.Generator, tiny: Tiny, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Random ids of texts of these lengths, padded on the left with token 0, and their mask."""
    real = left_padded(lengths, max(lengths))
    return torch.randint(1, tiny.vocab, real.shape, generator=generator) * real, real


def sizes_of(total: int, chunk: int) -> list[int]:
    return [min(chunk, total - start) for start in range(0, total, chunk)]


def case_of(
    task: str, group: str, run: Run, own: str, cuts: dict[int, int] | None, masked: bool, label: str
) -> Case:
    """The calls of a run, with the trusted cache or with the student's class `own`."""
    model = run.tiny.remote()
    cache = Handle("cache") if own else trusted_cache(run.tiny, cuts)
    made = (New("cache", own, (run.tiny.layers, run.window if own == "WindowCache" else 4)),) if own else ()
    calls = []
    for call in run.calls:
        given: dict[str, Any] = {"real": call[-1].real} if masked else {}
        if run.window is not None:
            given["window"] = run.window
        ids = torch.cat([one.ids for one in call], 1)
        arguments = (model, cache, ids, run.chunk) if run.chunk else (model, cache, ids)
        calls.append(Call(task.partition(".")[2], arguments, given))
    sizes = ", then ".join(str(sum(one.new for one in call)) for call in run.calls[:6]) + (
        ", ..." if len(run.calls) > 6 else ""
    )
    shown = (
        f"{task.partition('.')[2]}(model, {f'your {own}' if own else 'cache'}, ids of "
        f"{len(run.passes[0].ids)} rows and {sizes} "
        f"columns{f', chunk={run.chunk}' if run.chunk else ''}"
        f"{'' if run.window is None else f', window={run.window}'})"
    )
    return Case(task, group, (*made, *calls), run, shown)


def forward_case(
    group: str,
    tiny: Tiny,
    passes: Sequence[Pass],
    *,
    window: int | None = None,
    own: str = "",
    label: str = "",
    cuts: dict[int, int] | None = None,
    masked: bool = True,
) -> Case:
    """One call of forward for each pass."""
    run = Run(tiny, tuple((one,) for one in passes), window, not own, 0, tuple(right(tiny, passes, window)))
    return case_of(FORWARD, group, run, own, cuts, masked, label)


def prefill_case(
    group: str,
    tiny: Tiny,
    text: tuple[Tensor, Tensor],
    chunk: int,
    *,
    past: int = 0,
    window: int | None = None,
    own: str = "",
    masked: bool = True,
) -> Case:
    """One call of prefill, or one for the first `past` columns and one for the others."""
    ids, real = text
    ends = [0, past, ids.shape[1]] if past else [0, ids.shape[1]]
    calls, xs = [], {}
    every = splits(ids, real, [size for a, b in pairwise(ends) for size in sizes_of(b - a, chunk)])
    for one, x in zip(every, right(tiny, every, window), strict=True):
        xs[id(one)] = x
    for begin, end in pairwise(ends):
        calls.append(tuple(one for one in every if begin <= one.past < end))
    run = Run(tiny, tuple(calls), window, not own, chunk)
    expect = tuple(run.returned([xs[id(one)] for one in every]))
    return case_of(
        PREFILL, group, Run(tiny, run.calls, window, not own, chunk, expect), own, None, masked, ""
    )


def forward_cases(generator: torch.Generator, seed: int) -> list[Case]:
    """Cases of forward."""
    plain, grouped, shared = Tiny(seed, 2, 2), Tiny(seed + 1, 4, 2), Tiny(seed + 2, 3, 1, layers=1)
    flat = Tiny(seed + 3, 4, 2, layers=1)
    one = texts(generator, plain, (6,))
    made = [
        forward_case(SPLIT, plain, splits(*one, sizes), masked=sizes not in ((3, 1, 2), (2, 4)))
        for sizes in ((6,), (1,) * 6, (3, 1, 2), (1, 5), (4, 2), (2, 4))
    ]
    for tiny in (grouped, shared):
        made.append(forward_case(GROUPED, tiny, splits(*texts(generator, tiny, (6, 6)), (3, 1, 2))))
    padded = texts(generator, grouped, (5, 8, 2))
    made += [forward_case(PADDED, grouped, splits(*padded, sizes)) for sizes in ((8,), (6, 1, 1), (4, 4))]
    made.append(forward_case(PADDED, flat, splits(*padded, (6, 1, 1)), own="KVCache"))
    short = torch.ones(1, 4, dtype=torch.int64)
    made.append(
        Case(
            FORWARD,
            PADDED,
            (Call("forward", (plain.remote(), trusted_cache(plain), one[0]), {"real": short}),),
            Refuse("1, 4"),
        )
    )
    for lengths, masked in (((9,), False), ((9, 6), True)):
        made.append(rollback_case(generator, flat, lengths, masked))
    made.append(rollback_case(generator, plain, (9,), False, own=True))
    local = texts(generator, grouped, (9, 6))
    made += [forward_case(WINDOW, flat, splits(*local, sizes), window=3) for sizes in ((9,), (5, 1, 1, 2))]
    return [*made, forward_case(WINDOW, grouped, splits(*local, (4, 1, 3, 1)), window=3, own="WindowCache")]


def rollback_case(
    generator: torch.Generator, tiny: Tiny, lengths: Sequence[int], masked: bool, own: bool = False
) -> Case:
    """5 columns; 4 drafted ones, of which 1 is kept; then others in their place, in passes of 1 and 2."""
    ids, real = texts(generator, tiny, lengths)
    other = torch.randint(1, tiny.vocab, (len(ids), 3), generator=generator)
    passes = splits(ids, real, (5, 4))
    passes += [Pass(other[:, :1], real[:, :7]), Pass(other[:, 1:], real[:, :9])]
    label = "4 drafted tokens, 3 of them taken back"
    if not own:
        return forward_case(ROLLBACK, tiny, passes, cuts={9: 6}, masked=masked, label=label)
    case = forward_case(ROLLBACK, tiny, passes, own="KVCache", masked=masked, label=label)
    steps = (*case.steps[:3], Do("cache", "truncate", (6,)), *case.steps[3:])
    return Case(case.task, case.group, steps, case.expect, case.show)


def prefill_cases(generator: torch.Generator, seed: int) -> list[Case]:
    """Cases of prefill."""
    tiny = Tiny(seed, 4, 2, layers=1)
    text, padded = texts(generator, tiny, (10, 10)), texts(generator, tiny, (10, 4, 7))
    made = [prefill_case(CHUNKS, tiny, text, chunk, masked=chunk > 4) for chunk in (10, 4, 2, 64)]
    made.append(prefill_case(CHUNKS, tiny, text, 3, own="KVCache"))
    made += [
        prefill_case(LAST, tiny, text, 5, masked=False),
        prefill_case(LAST, tiny, texts(generator, tiny, (8,)), 3),
    ]
    made += [
        prefill_case(MASKED, tiny, padded, 4),
        prefill_case(MASKED, tiny, padded, 3, past=5),
        prefill_case(MASKED, tiny, text, 3, past=4, masked=False),
        prefill_case(MASKED, tiny, text, 4, window=3),
    ]
    for chunk in (0, -4):
        made.append(
            Case(
                PREFILL,
                LAST,
                (Call("prefill", (tiny.remote(), trusted_cache(tiny), text[0], chunk)),),
                Refuse(str(chunk)),
            )
        )
    return made


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator = torch.Generator().manual_seed(46_000 + seed)
    return forward_cases(generator, 460 + 10 * seed) + prefill_cases(generator, 465 + 10 * seed)
