"""Checks of host_ms and event_ms: one run, by the host's clock and between events."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from llmlab.checks.compare import raised, show
from llmlab.checks.gpu_timing import rules
from llmlab.checks.gpu_timing.journal import QUIET, Op, device, done, intervals, journal
from llmlab.checks.gpu_timing.numbers import number
from llmlab.checks.protocol import PASS, Call, Case, Event, Output, Raised, Task, Verdict
from llmlab.devices.simulated import Kernel, factor

HOST, EVENT = "gpu_timing.host_ms", "gpu_timing.event_ms"
IDLE, BUSY = "an idle device", "a device with work in its queue"
TASKS = (Task(HOST, "lab4", "time one run with the host's clock", {IDLE: 2, BUSY: 1}, "part2/timing.html#sec-async"),
         Task(EVENT, "lab4", "time one run between two events", {IDLE: 2, BUSY: 1}, "part2/timing.html#sec-events"))
LAUNCH, WAIT, RECORD = 5.0, 25.0, 1.0


@dataclass(frozen=True)
class One:
    """What one run takes in milliseconds: at least `low`, at most `high`; `busy`: others had queued work before."""

    low: float
    high: float
    busy: bool


def one_case(task: str, group: str, us: float, seed: int, backlog: float = 0.0) -> Case:
    """One run of a kernel that is compiled already; its true time follows from the seed."""
    work = "kernel"
    took = us * factor(seed, 0, 0.015, 0.0, 0)
    overhead = (LAUNCH + WAIT, LAUNCH + 2 * WAIT) if task == HOST else (0.0, LAUNCH + 2 * RECORD)
    expect = One((took + overhead[0]) / 1e3, (took + overhead[1]) / 1e3, backlog > 0)
    remote = device({work: Kernel(us, us, 0.0)}, seed, ramp=0, backlog_us=backlog, **QUIET)
    return Case(task, group, (Call(task.partition(".")[2], (remote, work)),), expect,
                show=f"{task.partition('.')[2]}(device, {work!r}): {group}")


def host_rules(ops: list[Op], expect: One) -> rules.Named:
    """What was done wrong with the host's clock."""
    runs, clocks, waits = done(ops, "run"), done(ops, "now"), done(ops, "synchronize")
    if not clocks:
        return (("events-for-host-clock", "The host's clock was never read. Here the time between two device.now() is "
                 "asked for.") if done(ops, "elapsed") else ("no-measurement", "device.now() was never called."))
    if len(runs) != 1:
        return "wrong-number-of-runs", f"The work ran {len(runs)} times; run it once."
    before, after = [c for c in clocks if c < runs[0]], [c for c in clocks if c > runs[0]]
    if not before or not after:
        return "interval-misses-the-work", "Read the clock once before device.run(work), and once after it."
    if not any(runs[0] < wait < after[-1] for wait in waits):
        return ("times-the-launch", "The clock stopped when the launch returned, not when the work was done: there "
                "is no device.synchronize() between device.run(work) and the second device.now().")
    if expect.busy and not any(wait < before[-1] for wait in waits):
        return ("counts-earlier-work", "The device was still busy with earlier work when the clock started. "
                "Synchronize before the first device.now() too.")
    return None


def event_rules(ops: list[Op], expect: One) -> rules.Named:
    """What was done wrong with events."""
    runs, read = done(ops, "run"), intervals(ops)
    named = rules.unmeasured(ops) or rules.too_early(ops, read)
    if named:
        return named
    if len(runs) != 1:
        return "wrong-number-of-runs", f"The work ran {len(runs)} times; run it once."
    if all(one.start > one.end for one in read):
        return "events-swapped", "The time runs from the first event to the second: elapsed(start, end)."
    return rules.what_is_inside(ops, read, "run")


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """First what was done, then the number."""
    last, expect, ops = outputs[-1], case.expect, journal(events)
    if isinstance(last, Raised) and last.kind == "NotImplementedError":
        return raised(last)
    asked = f"between {expect.low:.4f} and {expect.high:.4f} ms"
    got = number(getattr(last, "value", None))
    named = (host_rules if case.task == HOST else event_rules)(ops, expect)
    if isinstance(last, Raised) and not (named and named[0] in rules.REFUSED):
        return raised(last)
    if named:
        return Verdict(False, named[1], asked, show(getattr(last, "value", None)), named[0])
    if got is None:
        return Verdict(False, f"Return a number, got {type(last.value).__name__}.", asked, show(last.value))
    if expect.low - 1e-4 <= got <= expect.high + 1e-4:
        return PASS
    for name, scale, words in (("seconds-for-milliseconds", 1e3, "The time is in seconds. Return milliseconds."),
                               ("microseconds-for-milliseconds", 1e-3, "Those are microseconds. Return milliseconds.")):
        if math.isfinite(got) and expect.low - 1e-4 <= got * scale <= expect.high + 1e-4:
            return Verdict(False, words, asked, show(last.value), name)
    return Verdict(False, "The calls are right, but not the number: return the time between the two readings.", asked,
                   show(last.value))


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    dice = random.Random(8_000 + seed)
    made = []
    for task in (HOST, EVENT):
        made += [one_case(task, IDLE, dice.uniform(200, 900), dice.randrange(1_000)),
                 one_case(task, BUSY, dice.uniform(200, 900), dice.randrange(1_000), dice.uniform(2_000, 4_000))]
    return made
