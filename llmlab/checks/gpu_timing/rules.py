"""What goes wrong in timers, recognised from the calls of the device: each rule gives a misconception's name and words.

A rule returns None where it has nothing to say. Rules of one task run in order, and the first one that speaks decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from llmlab.checks.gpu_timing.journal import EXECUTES, Interval, Op, done, inside, intervals, unreached

Named = tuple[str, str] | None
REFUSED = {"elapsed-before-completion", "captures-cold"}
"""Mistakes that the device itself refuses; any other exception is told as it is."""


@dataclass(frozen=True)
class Plan:
    """What a timer was asked to do: time `repeats` calls of `action`, after `warmup` of them."""

    action: str
    warmup: int
    repeats: int
    flush: bool


def unmeasured(ops: list[Op]) -> Named:
    """No time was read between events."""
    if any(op.method == "elapsed" for op in ops):
        return None
    clocks, runs = done(ops, "now"), done(ops, *EXECUTES)
    if not clocks:
        return ("never-reads-the-events", "The time between two events was never read: device.elapsed(start, end).") \
            if done(ops, "record") else ("no-measurement", "Nothing was measured: no event, no clock.")
    waits = done(ops, "synchronize")
    timed = [run for run in runs if any(c < run for c in clocks) and any(c > run for c in clocks)]
    hasty = [run for run in timed if not any(run < wait < min(c for c in clocks if c > run) for wait in waits)]
    if hasty or not timed:
        return ("times-the-launch", "The host's clock was read around a launch that returns at once, so only the "
                "launch was timed. Record an event before and after, synchronize, read the time between them.")
    return ("host-clock-for-events", "The host's clock was read, so the launch and the host's waking up were "
            "counted too. Put events into the queue with device.record().")


def too_early(ops: list[Op], read: list[Interval]) -> Named:
    """A time was read before the device had reached its events."""
    if unreached(ops, read):
        return ("elapsed-before-completion", "device.elapsed was called before the device had reached the events. "
                "Call device.synchronize() after the last record(), and read the times then.")
    return None


def what_is_inside(ops: list[Op], read: list[Interval], action: str) -> Named:
    """Something else than one call of `action` lies between the events of a pair."""
    for one in read:
        within = {method: len(inside(ops, one, method))
                  for method in ("run", "replay", "flush", "capture", "synchronize")}
        if within["capture"]:
            return ("times-the-capture", "The capture lies between the events. Capture once before, and time the "
                    "replay alone.")
        if action == "replay" and within["run"] and not within["replay"]:
            return ("runs-instead-of-replay", "The works were launched one by one between the events. Time one "
                    "device.replay(graph).")
        if action == "run" and within["run"] > 1 or action == "replay" and within["replay"] > 1:
            return ("one-interval-for-all", "All repeats lie between one pair of events, with the flushes. Give "
                    "every repeat its own pair, then one straggler does not spoil all others.")
        if within["flush"]:
            return ("times-the-flush", "The flush lies between the events, so its time was counted. Flush first, "
                    "then record the first event.")
        if not within[action]:
            return ("interval-misses-the-work", f"There is no device.{action} between the two events of a pair: "
                    "record one directly before it, one directly after.")
        if within["synchronize"]:
            return ("synchronises-inside", "device.synchronize() lies between the events, so the host's waiting was "
                    "counted. Record the second event directly after the launch; wait later.")
    return None


def captures(ops: list[Op], works: tuple[str, ...]) -> Named:
    """The graph of `works` was not captured once, after a first run of every work."""
    made = done(ops, "capture")
    ran = {ops[place].given.get("work") for place in done(ops, "run")}
    if not made and any(op.method == "capture" for op in ops) and not ran >= set(works):
        return ("captures-cold", "The capture came before every work had run. The first run of a kernel compiles "
                "it, which a capture cannot record: run every work once before.")
    if not made:
        return "no-capture", "No graph was captured: device.capture(works) once, then device.replay(graph)."
    if len(made) > 1:
        return ("captures-every-repeat", f"The graph was captured {len(made)} times. Capture once; a graph can be "
                "replayed as often as you like.")
    return None


def counts(ops: list[Op], plan: Plan, returned: list[float] | None) -> Named:
    """Warm-up and repeats are not as many as asked for, or a warm-up is among the times."""
    executed = done(ops, plan.action)
    warm = set(executed[:plan.warmup])
    if len(executed) == plan.repeats and plan.warmup:
        return ("no-warm-up", f"There was no warm-up: the first {plan.action} was timed. Do it {plan.warmup} times "
                "before, without timing.")
    if len(executed) != plan.warmup + plan.repeats:
        return ("wrong-number-of-runs", f"device.{plan.action} was called {len(executed)} times, not "
                f"{plan.warmup} + {plan.repeats}: warmup + repeats.")
    if returned is not None and plan.warmup:
        read = intervals(ops)
        early = [one.ms for one in read if warm & set(inside(ops, one, plan.action))]
        late = [one.ms for one in read if not warm & set(inside(ops, one, plan.action))]
        if any(value in early and value not in late for value in returned):
            return ("counts-the-warm-up", "The warm-up is among the times. The first call does what no later one "
                    "has to do: leave it out.")
    return None


def flushes(ops: list[Op], plan: Plan) -> Named:
    """The cache was not overwritten before every timed call, or was although nobody asked for it."""
    executed, flushed = done(ops, *EXECUTES), done(ops, "flush")
    timed = [place for place in executed if ops[place].method == plan.action][-plan.repeats:]
    if not plan.flush:
        return ("flushes-unasked", "flush=False was asked for, but the cache was flushed.") if flushed else None
    if not flushed:
        return ("forgets-the-flush", "The cache was never flushed, so each repeat found its data in L2, where the "
                "one before had left them. Call device.flush() before each timed repeat.")
    before = {place: max((other for other in executed if other < place), default=-1) for place in timed}
    cold = [any(before[place] < flush < place for flush in flushed) for place in timed]
    if cold[0] and not any(cold[1:]) and len(cold) > 1:
        return ("flushes-once", "The cache was flushed once. The first repeat fills it again: flush before each.")
    if not cold[0] and all(cold[1:]):
        return ("first-repeat-warm", "The first repeat was not flushed: it found the data of the warm-up in L2. "
                "Flush before each timed repeat, not after it.")
    if not all(cold):
        return "flushes-sometimes", "Some timed repeats have no flush between them and the call before."
    return None
