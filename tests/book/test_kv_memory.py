"""The calculator of the KV cache against the course's own functions, on settings drawn from its knobs."""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.book.data import FOLDER, read, solved
from tests.book.node import call_figure, planted

SPEC = yaml.safe_load((FOLDER.parent / "_figures" / "kv-memory.yml").read_text(encoding="utf-8"))
State = dict[str, Any]


def settings(count: int, seed: int = 1) -> list[State]:
    dice = random.Random(seed)
    return [{name: dice.choice(knob["values"]) for name, knob in SPEC["knobs"].items()} for _ in range(count)]


def fits(flops: ModuleType, model: State, free: float, batch: int, context: int, cell: float) -> bool:
    """Whether the cache of this batch fits into what the weights leave free."""
    return flops.kv_cache_bytes(model, batch, context, cell) <= free


def differences(found: list[dict[str, Any]], states: list[State]) -> list[tuple[State, str]]:
    """Where the figure and the course differ. The largest batch is also tried out: it fits, and one more does not."""
    flops, data, wrong = solved("flops"), read("cost.json"), []
    for got, state in zip(found, states, strict=True):
        model, chip = data["models"][state["model"]], data["accelerators"][state["accelerator"]]
        model = {
            **model,
            "kv_heads": {"published": model["kv_heads"], "all": model["heads"], "one": 1}[state["sharing"]],
        }
        width, cell = data["weights"][state["weights"]], data["caches"][state["cache"]]
        numbers = sum(flops.parameters(model).values())
        expected = {
            "kvHeads": model["kv_heads"],
            "parameters": numbers,
            "weightBytes": numbers * width,
            "memory": chip["memory"],
            "perToken": flops.kv_cache_bytes(model, 1, 1, cell),
            "cacheBytes": flops.kv_cache_bytes(model, state["batch"], state["context"], cell),
        }

        free = chip["memory"] - numbers * width
        expected["fits"] = fits(flops, model, free, state["batch"], state["context"], cell)
        wrong += [(state, key) for key, value in expected.items() if got[key] != value]
        for key, batch, context, more in [
            ("largest", got["largest"], state["context"], (1, 0)),
            ("longest", state["batch"], got["longest"], (0, 1)),
            *(("table", batch, context, (1, 0)) for context, batch in got["table"]),
        ]:
            enough = min(batch, context) == 0 or fits(flops, model, free, batch, context, cell)
            wrong += [(state, key)] * (not enough or fits(flops, model, free, batch + more[0], context + more[1], cell))
        if width == cell:
            wrong += [(state, "largest")] * (
                got["largest"] != flops.largest_batch(model, chip, state["context"], width)
            )
    return wrong


def test_the_figure_agrees_with_the_course() -> None:
    states, data = settings(600), read("cost.json")
    found = call_figure("kv-memory", "compute", [[data, state] for state in states])
    assert differences(found, states) == []
    assert {one["fits"] for one in found} == {True, False} and 0 in {one["largest"] for one in found}


@pytest.mark.parametrize(
    ("right", "wrong", "part"),
    [
        ("2 * model.layers * kvHeads", "model.layers * kvHeads", "perToken"),
        ("all: model.heads", "all: model.kv_heads", "kvHeads"),
        ("2 * model.layers * added", "model.layers * added", "parameters"),
        ("(model.bias ? 1 : 0)", "0", "parameters"),
        ("free = memory - weightBytes", "free = memory", "largest"),
        ("perToken * batch * context", "perToken * context", "cacheBytes"),
        ("Math.floor(free / (perToken * length))", "Math.round(free / (perToken * length))", "table"),
        ("weightBytes + cacheBytes <= memory", "cacheBytes <= memory", "fits"),
    ],
)
def test_the_comparison_notices_a_mistake(tmp_path: Path, right: str, wrong: str, part: str) -> None:
    states, data = settings(150, seed=3), read("cost.json")
    found = call_figure(planted(tmp_path, "kv-memory", right, wrong), "compute", [[data, state] for state in states])
    assert part in {what for _, what in differences(found, states)}
