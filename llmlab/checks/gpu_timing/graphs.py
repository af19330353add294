"""Checks of graph_samples_ms: run once, capture once, replay many times, and time the replays alone."""

from __future__ import annotations

import random
from collections.abc import Sequence

from llmlab.checks.gpu_timing import rules, samples
from llmlab.checks.gpu_timing.journal import device
from llmlab.checks.gpu_timing.samples import judge
from llmlab.checks.protocol import Call, Case, Task
from llmlab.devices.simulated import Kernel

__all__ = ["TASKS", "cases", "judge"]

TASK = "gpu_timing.graph_samples_ms"
REPLAYS, COUNTS, INVALID = "replays of one graph", "warm-up and repeats as asked for", "invalid counts"
TASKS = (Task(TASK, "lab4", "time replays of a captured graph", {REPLAYS: 3, COUNTS: 1, INVALID: 1},
              "part2/timing.html#sec-graphs"),)
GAP = 0.5


def step_us(works: Sequence[str], kernels: dict[str, Kernel]) -> float:
    """Oracle: a replayed step after a flush. A work is cold the first time in a step, warm when it comes again."""
    cold = sum(kernels[work].cold_us for work in set(works))
    warm = sum(kernels[work].warm_us * (works.count(work) - 1) for work in set(works))
    return cold + warm + GAP * (len(works) - 1)


def graph_case(group: str, seed: int, works: tuple[str, ...], kernels: dict[str, Kernel], warmup: int = 3,
               repeats: int = 20, defaults: bool = False) -> Case:
    """One call of the timer; with `defaults`, its counts are not given."""
    given = {} if defaults else {"warmup": warmup, "repeats": repeats}
    plan = rules.Plan("replay", warmup, repeats, True)
    remote = device(kernels, seed, **samples.SETTINGS)
    told = "".join(f", {key}={value}" for key, value in given.items())
    return Case(TASK, group, (Call("graph_samples_ms", (remote, list(works)), given),),
                samples.Times(plan, step_us(works, kernels), seed, samples.SETTINGS, works),
                show=f"graph_samples_ms(device, {list(works)}{told})")


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    dice = random.Random(8_200 + seed)

    def kernels() -> dict[str, Kernel]:
        made = {}
        for name, low in (("matvec", 40.0), ("attention", 60.0), ("norm", 12.0), ("add", 9.0)):
            cold = low * dice.uniform(1, 1.5)
            made[name] = Kernel(cold, cold * dice.uniform(0.4, 0.6))
        return made

    step = ("norm", "matvec", "attention", "matvec", "add")
    return [graph_case(REPLAYS, dice.randrange(1_000), step, kernels(), warmup=2, repeats=6),
            graph_case(REPLAYS, dice.randrange(1_000), ("norm", "attention", "add"), kernels(), defaults=True),
            graph_case(COUNTS, dice.randrange(1_000), ("attention", "add"), kernels(), warmup=4, repeats=3),
            graph_case(COUNTS, dice.randrange(1_000), ("attention",), kernels(), warmup=1, repeats=1),
            *samples.refused("graph_samples_ms", (["kernel"],), INVALID, TASK)]
