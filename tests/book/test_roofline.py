"""The roofline figure against the course's own functions, put together by hand, on settings drawn from its knobs."""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.book.data import FOLDER, read, solved
from tests.book.node import call_figure, planted

SPEC = yaml.safe_load((FOLDER.parent / "_figures" / "roofline.yml").read_text(encoding="utf-8"))
State = dict[str, Any]


def settings(count: int, seed: int = 1, **fixed: Any) -> list[State]:
    dice = random.Random(seed)
    return [{name: dice.choice(knob["values"]) for name, knob in SPEC["knobs"].items()} | fixed for _ in range(count)]


def reference(flops: ModuleType, data: dict[str, Any], state: State) -> dict[str, Any]:
    """The three pieces of work from the students' functions; the pass as in the chapter.

    Those functions know one width for everything. So the numbers that are moved are found as FLOPs over intensity at
    one byte a number, and weights, cache and what flows through the model are weighed on their own.
    """
    model, chip = data["models"][state["model"]], data["accelerators"][state["accelerator"]]
    batch, context = state["batch"], state["context"]
    width, cell = data["weights"][state["weights"]], data["caches"][state["cache"]]
    new = 1 if state["phase"] == "decode" else min(state["chunk"], context)
    layers, plain = model["layers"], {**model, "bias": False}

    work = flops.mlp_flops(model, batch * new)
    moved, weights = work / flops.mlp_intensity(model, batch * new, 1), flops.parameters(plain)["mlp"] / layers
    mlp = flops.roofline(chip, layers * work, layers * (2 * (moved - weights) + width * weights))

    steps = flops.attention_flops(model, batch, new, context)
    work = steps["scores"] + steps["values"]
    moved, cached = (
        work / flops.attention_intensity(model, new, context, 1),
        flops.kv_cache_bytes(model, batch, context, 1) / layers,
    )
    attention = flops.roofline(chip, layers * work, layers * (2 * (moved - cached) + cell * cached))

    weight_bytes, cache_bytes = (
        sum(flops.parameters(model).values()) * width,
        flops.kv_cache_bytes(model, batch, context, cell),
    )
    step = flops.roofline(chip, flops.forward_flops(model, batch, new, context), weight_bytes + cache_bytes)
    return {
        "mlp": mlp,
        "attention": attention,
        "step": step,
        "weightBytes": weight_bytes,
        "cacheBytes": cache_bytes,
        "perSecond": batch * new / step["seconds"],
        "fits": weight_bytes + cache_bytes <= chip["memory"],
    }


def differences(found: list[dict[str, Any]], states: list[State]) -> list[tuple[State, str]]:
    """Where the figure and the reference differ."""
    flops, data, wrong = solved("flops"), read("cost.json"), []
    for got, state in zip(found, states, strict=True):
        expected = reference(flops, data, state)
        for part in ("mlp", "attention", "step"):
            for mine, theirs in (("intensity", "intensity"), ("seconds", "seconds"), ("attained", "flops_per_second")):
                if got[part][mine] != pytest.approx(expected[part][theirs], rel=1e-9):
                    wrong.append((state, f"{part} {mine}"))
            if got[part]["bound"] != expected[part]["bound"]:
                wrong.append((state, f"{part} bound"))
        wrong += [
            (state, key)
            for key in ("weightBytes", "cacheBytes", "perSecond")
            if got[key] != pytest.approx(expected[key], rel=1e-9)
        ]
        wrong += [(state, "fits")] * (got["fits"] != expected["fits"])
    return wrong


def test_the_figure_agrees_with_the_course() -> None:
    states, data = settings(500), read("cost.json")
    found = call_figure("roofline", "compute", [[data, state] for state in states])
    assert differences(found, states) == []
    for part in ("mlp", "step"):
        assert {one[part]["bound"] for one in found} == {
            "compute",
            "memory",
        }  # the settings reach both sides of the ridge
    assert {one["fits"] for one in found} == {True, False}


def test_a_decode_step_is_the_students_decode_step() -> None:
    flops, data = solved("flops"), read("cost.json")
    states = settings(100, seed=2, phase="decode", weights="8 bits", cache="8 bits")
    for got, state in zip(call_figure("roofline", "compute", [[data, state] for state in states]), states, strict=True):
        step = flops.decode_step(
            data["models"][state["model"]],
            data["accelerators"][state["accelerator"]],
            state["batch"],
            state["context"],
            1,
        )
        assert got["step"]["seconds"] == pytest.approx(step["seconds"]) and got["perSecond"] == pytest.approx(
            step["tokens_per_second"]
        )
        assert got["step"]["bytes"] == step["bytes"] and got["step"]["flops"] == step["flops"]


@pytest.mark.parametrize(
    ("right", "wrong", "part"),
    [
        ("Math.max(arithmetic, transfer)", "arithmetic + transfer", "step seconds"),
        ("width * (into + 1) * hidden * mlp", "ACTIVATION * (into + 1) * hidden * mlp", "mlp intensity"),
        ("cell * 2 * keys * context", "cell * 2 * queries * context", "attention intensity"),
        ("layers * batch * (ACTIVATION", "layers * (ACTIVATION", "attention intensity"),
        ("2 * layers * keys * batch", "2 * layers * keys", "cacheBytes"),
        ("Math.min(state.chunk, context)", "context", "perSecond"),
        ("head = 2 * batch * hidden", "head = 2 * tokens * hidden", "step intensity"),
        ("weightBytes + cacheBytes <=", "cacheBytes <=", "fits"),
    ],
)
def test_the_comparison_notices_a_mistake(tmp_path: Path, right: str, wrong: str, part: str) -> None:
    states, data = settings(120, seed=3), read("cost.json")
    found = call_figure(planted(tmp_path, "roofline", right, wrong), "compute", [[data, state] for state in states])
    assert part in {what for _, what in differences(found, states)}
