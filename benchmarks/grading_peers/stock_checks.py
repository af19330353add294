"""The checks of lab 1 as a stock grader runs them: in the student's own kernel, on the module beside the notebook.

    from stock_checks import check, check_answer
    check("decoding.top_p")                 # the points, which nbgrader reads from the cell's value
    check_answer("entropy-t1", ANSWERS)

Cases, expected values and judges are those of `llmlab.checks` and of the hidden cases, which lie beside it as
hidden_<module>.py; the keys of the numbers are in keys.json. Nothing is kept from the student's code: that is what
makes it stock. It does no more work than it must: cases are made once in a kernel, and a group ends at its first failure.
"""

from __future__ import annotations

import importlib
import json
import math
import types
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import torch

from llmlab.checks import registry
from llmlab.checks.protocol import Call, Case, Event, Model, Output, Raised, Returned, Rng

HERE = Path(__file__).resolve().parent


@cache
def cases(module: str) -> list[Case]:
    """The hidden cases of a module."""
    hidden = types.ModuleType(f"hidden_{module}")
    exec((HERE / f"hidden_{module}.py").read_bytes(), hidden.__dict__)
    return registry.checks_of(module).cases(hidden.SEED) + hidden.extra()


@cache
def groups(task: str) -> dict[str, float]:
    """Group -> its points if every case of it passes, else 0."""
    module = task.partition(".")[0]
    student, judge = importlib.import_module(module), registry.checks_of(module).judge
    earned = dict(registry.tasks(task)[0].groups)
    for case in cases(module):
        if case.task == task and earned[case.group]:
            verdict = judge(case, *run(student, case))
            if not verdict.ok:
                earned[case.group] = 0.0
                print(f"{task}, {case.group}: {verdict.message}")
    return earned


def check(task: str) -> float:
    """The points that the student's file earns in a task."""
    return sum(groups(task).values())


def check_answer(name: str, given: dict[str, Any]) -> float:
    """The points of a number."""
    key, value = json.loads((HERE / "keys.json").read_text())[name], given.get(name)
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(key["points"]) if number and abs(value - key["value"]) <= key["tol"] else 0.0


def run(student: types.ModuleType, case: Case) -> tuple[list[Output], list[Event]]:
    """Carry out the steps of a case in this process."""
    outputs: list[Output] = []
    events: list[Event] = []
    for step in case.steps:
        if not isinstance(step, Call):
            raise TypeError(f"{case.task}: stock checks know only calls of functions, not {type(step).__name__}")
        args = [given(value, events) for value in step.args]
        kwargs = {key: given(value, events) for key, value in step.kwargs.items()}
        state = torch.random.get_rng_state()
        try:
            value = getattr(student, step.function)(*args, **kwargs)
        except Exception as error:
            outputs.append(Raised(type(error).__name__, str(error)))
            break
        named = [(f"argument {i + 1}", a, b) for i, (a, b) in enumerate(zip(step.args, args, strict=True))]
        named += [(key, step.kwargs[key], kwargs[key]) for key in kwargs]
        outputs.append(Returned(plain(value), tuple(name for name, before, now in named if changed(before, now)),
                                not torch.equal(torch.random.get_rng_state(), state)))
    return outputs, events


def given(value: Any, events: list[Event]) -> Any:
    """An argument as the student gets it: a copy, so that a change of it can be seen."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, Rng):
        return torch.Generator().manual_seed(value.seed)
    if isinstance(value, Model):
        return served(value, events)
    if isinstance(value, (list, tuple)):
        return type(value)(given(item, events) for item in value)
    return {key: given(item, events) for key, item in value.items()} if isinstance(value, dict) else value


def plain(value: Any) -> Any:
    """A result without numpy: a fair grader takes an array where it takes a tensor."""
    if isinstance(value, numpy.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, numpy.generic):
        return value.item()
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    return {key: plain(item) for key, item in value.items()} if type(value) is dict else value


def served(model: Model, events: list[Event]) -> Callable[..., torch.Tensor]:
    """The model as the student calls it; every call is recorded."""
    calls = 0

    def call(ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        nonlocal calls
        calls += 1
        mask = torch.ones_like(ids) if attention_mask is None else (attention_mask != 0).to(torch.int64)
        if calls > model.max_calls or ids.dtype != torch.int64 or ids.dim() != 2 or mask.shape != ids.shape:
            raise ValueError(f"model: ids must be (B, T) int64 with a mask of the same shape, got {tuple(ids.shape)}")
        if ids.shape[1] > model.max_length or int(ids.min()) < 0 or int(ids.max()) >= model.vocab:
            raise ValueError(f"model: at most {model.max_length} columns, ids in 0..{model.vocab - 1}")
        events.append(Event("model", {"ids": ids.clone(), "attention_mask": mask.clone()}))
        return model.fn(ids.clone(), mask)

    return call


def changed(before: Any, now: Any) -> bool:
    """Whether a call changed its argument in place."""
    if isinstance(before, torch.Tensor):
        same = before.shape == now.shape and before.dtype == now.dtype
        return not (same and bool(((before == now) | ((before != before) & (now != now))).all()))
    if isinstance(before, (list, tuple)):
        return len(before) != len(now) or any(changed(a, b) for a, b in zip(before, now, strict=True))
    if isinstance(before, dict):
        return before.keys() != now.keys() or any(changed(before[key], now[key]) for key in before)
    return not isinstance(before, (Rng, Model)) and before != now
