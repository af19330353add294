"""Checks of samples_ms: warm-up, one pair of events for each repeat, one wait, a flush outside of what is timed."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from llmlab.checks.compare import raised, raises, show
from llmlab.checks.gpu_timing import rules
from llmlab.checks.gpu_timing.journal import EXECUTES, Op, device, done, intervals, journal
from llmlab.checks.gpu_timing.numbers import number
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import PASS, Call, Case, Event, Output, Raised, Returned, Task, Verdict
from llmlab.devices.simulated import Kernel, factor

TASK = "gpu_timing.samples_ms"
FLUSHED, WARM = "with a flush before each repeat", "without a flush"
COUNTS, INVALID = "warm-up and repeats as asked for", "invalid counts"
TASKS = (Task(TASK, "lab4", "time many runs after a warm-up, each between its own events",
              {FLUSHED: 3, WARM: 2, COUNTS: 2, INVALID: 1}, "part2/timing.html#sec-samples"),)
SLACK = (5.0 + 2 * 1.0 + 0.5) / 1e3
"""Milliseconds that may be added to a time: a launch and two records of a host that waits more often than it must."""
SETTINGS = {"jitter": 0.015, "stragglers": 0.06, "ramp": 2}


@dataclass(frozen=True)
class Times:
    """What must come back: for each timed call, `usual` microseconds times the random part of that execution."""

    plan: rules.Plan
    usual: float
    seed: int
    settings: dict
    works: tuple[str, ...] = ()

    def right(self, ops: list[Op]) -> list[float]:
        """Milliseconds of the timed calls. Which executions of the device they are, is counted in the journal."""
        executed = done(ops, *EXECUTES)
        timed = [place for place in executed if ops[place].method == self.plan.action][-self.plan.repeats:]
        ordinals = [executed.index(place) for place in timed]
        luck = [self.settings[key] for key in ("jitter", "stragglers", "ramp")]
        return [self.usual * factor(self.seed, n, *luck) / 1e3 for n in ordinals]


def numbers_of(value) -> list[float] | None:
    """A list of floats if the value is a sequence of numbers, else None."""
    if isinstance(value, torch.Tensor) and value.dim() == 1 and not value.is_complex():
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        return None
    found = [number(one) for one in value]
    return None if any(one is None for one in found) else found


def close(got: list[float], right: list[float], scale: float = 1.0) -> bool:
    """The same times in any order, each at most SLACK above."""
    if len(got) != len(right) or not all(map(math.isfinite, got)):
        return False
    return all(want - 1e-6 <= one * scale <= want + SLACK
               for one, want in zip(sorted(got), sorted(right), strict=True))


def wrong_values(got: list[float] | None, value, expect: Times, right: list[float]) -> tuple[str, str]:
    """Name and words for times that are not those that were measured."""
    plan = expect.plan
    if got is None:
        return "returns-a-summary", f"Return a list of {plan.repeats} times, one for each repeat, got {show(value)}."
    if len(got) != plan.repeats:
        return "wrong-number-of-times", f"Return {plan.repeats} times, one for each repeat, got {len(got)}."
    if close(got, right, 1e3):
        return "seconds-for-milliseconds", "The times are in seconds. Return milliseconds."
    if close(got, right, 1e-3):
        return "microseconds-for-milliseconds", "The times are in microseconds. Return milliseconds."
    for share in {plan.repeats, len(expect.works)} - {0, 1}:
        if close(got, right, share):
            return "divided-again", f"The times were divided by {share}. Each is that of one whole call already."
    return "", "The calls are right, but not the times: return what device.elapsed said, for each repeat."


def diagnose(ops: list[Op], expect: Times, returned: list[float] | None) -> rules.Named:
    """The first mistake that the calls show."""
    plan, read = expect.plan, intervals(ops)
    graph = rules.captures(ops, expect.works) if plan.action == "replay" else None
    if graph:
        return graph
    named = rules.unmeasured(ops) or rules.too_early(ops, read)
    if named:
        return named
    if read and all(one.start > one.end for one in read):
        return "events-swapped", "The time runs from the first event to the second: elapsed(start, end)."
    return (rules.what_is_inside(ops, read, plan.action) or rules.counts(ops, plan, returned)
            or rules.flushes(ops, plan))


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """First what was done, then the times."""
    last, expect, ops = outputs[-1], case.expect, journal(events)
    if isinstance(expect, Refuse):
        return raises(last, expect.kind, expect.names)
    if isinstance(last, Raised) and last.kind == "NotImplementedError":
        return raised(last)
    got = numbers_of(last.value) if isinstance(last, Returned) else None
    asked = f"{expect.plan.repeats} times in milliseconds"
    what = show(last.value) if isinstance(last, Returned) else last.kind
    named = diagnose(ops, expect, got)
    if isinstance(last, Raised) and not (named and named[0] in rules.REFUSED):
        return raised(last)
    if named:
        return Verdict(False, named[1], asked, what, named[0])
    right = expect.right(ops)
    if got is not None and close(got, right):
        return PASS
    name, words = wrong_values(got, last.value, expect, right)
    return Verdict(False, words, f"{asked}: {', '.join(f'{one:.4f}' for one in right[:8])}", what, name)


def samples_case(group: str, seed: int, cold: float, warm: float, flush: bool = True, warmup: int = 3,
                 repeats: int = 20, defaults: bool = False, **settings: float) -> Case:
    """One call of the timer; with `defaults`, its counts are not given."""
    used = SETTINGS | settings
    compile_us = 40_000.0 if warmup else 0.0
    work = "kernel"
    given = {} if defaults else {"warmup": warmup, "repeats": repeats}
    given |= {} if flush else {"flush": False}
    plan = rules.Plan("run", warmup, repeats, flush)
    remote = device({work: Kernel(cold, warm, compile_us)}, seed, **used)
    told = "".join(f", {key}={value}" for key, value in given.items())
    return Case(TASK, group, (Call("samples_ms", (remote, work), given),),
                Times(plan, cold if flush else warm, seed, used), show=f"samples_ms(device, {work!r}{told})")


def refused(function: str, args: tuple, group: str, task: str) -> list[Case]:
    """Calls with counts that make no sense."""
    made = []
    for given, said in (({"repeats": 0}, "0"), ({"warmup": -2}, "-2"), ({"repeats": -1}, "-1")):
        remote = device({"kernel": Kernel(50.0, 50.0, 0.0)}, 0, ramp=0)
        told = ", ".join(f"{key}={value}" for key, value in given.items())
        made.append(Case(task, group, (Call(function, (remote, *args), given),), Refuse(said),
                         show=f"{function}(device, {args[0]!r}, {told})"))
    return made


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    dice = random.Random(8_100 + seed)

    def kernel() -> tuple[int, float, float]:
        cold = dice.uniform(150, 400)
        return dice.randrange(1_000), cold, cold * dice.uniform(0.45, 0.6)

    return [samples_case(FLUSHED, *kernel(), warmup=4, repeats=7), samples_case(FLUSHED, *kernel(), defaults=True),
            samples_case(WARM, *kernel(), flush=False, warmup=3, repeats=6),
            samples_case(COUNTS, *kernel(), warmup=6, repeats=4), samples_case(COUNTS, *kernel(), warmup=2, repeats=1),
            samples_case(COUNTS, *kernel(), warmup=0, repeats=3, ramp=0),
            *refused("samples_ms", ("kernel",), INVALID, TASK)]
