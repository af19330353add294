"""The figure of a layer's FLOPs against the course's own functions, on settings drawn from its knobs."""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.book.data import FOLDER, read, solved
from tests.book.node import call_figure, planted

SPEC = yaml.safe_load((FOLDER.parent / "_figures" / "layer-flops.yml").read_text(encoding="utf-8"))
State = dict[str, Any]


def settings(count: int, seed: int = 1) -> list[State]:
    dice = random.Random(seed)
    return [
        {name: dice.choice(knob.get("values", [False, True])) for name, knob in SPEC["knobs"].items()}
        for _ in range(count)
    ]


def parts(flops: ModuleType, model: dict[str, Any], state: State, length: int) -> dict[str, int]:
    """FLOPs by step of the pass over a text of this length."""
    new = 1 if state["cached"] else length
    layer = {
        **flops.attention_flops(model, state["batch"], new, length),
        "mlp": flops.mlp_flops(model, state["batch"] * new),
    }
    times = model["layers"] if state["whole"] else 1
    head = flops.matmul_flops(state["batch"], model["hidden"], model["vocab"]) if state["whole"] else 0
    return {name: times * count for name, count in layer.items()} | {"lm_head": head}


def differences(found: list[dict[str, Any]], states: list[State]) -> list[tuple[State, str]]:
    """Where the figure and the course differ. Counts must be equal while a float can hold them exactly."""
    flops, data, wrong = solved("flops"), read("cost.json"), []
    for got, state in zip(found, states, strict=True):
        model = data["models"][state["model"]]
        for where, length, total in [
            ("now", state["length"], got["total"]),
            *(("bar", one["length"], one["total"]) for one in got["bars"]),
        ]:
            expected = parts(flops, model, state, length)
            drawn = (
                got["parts"] if where == "now" else next(one["parts"] for one in got["bars"] if one["length"] == length)
            )
            wrong += [
                (state, name)
                for name, count in expected.items()
                if drawn[name] != (count if count < 2**53 else pytest.approx(count))
            ]
            whole = (
                flops.forward_flops(model, state["batch"], 1 if state["cached"] else length, length)
                if state["whole"]
                else sum(expected.values())
            )
            wrong += [(state, "total")] * (total != pytest.approx(whole, rel=1e-12))
        for at, overtaken in (
            (got["crossover"] - 1, False),
            (got["crossover"], True),
        ):  # just before, and just at the crossing
            layer = parts(flops, model, {**state, "whole": False}, at)
            square = layer["scores"] + layer["values"]
            wrong += [(state, "crossover")] * ((2 * square >= sum(layer.values())) is not overtaken)
    return wrong


def test_the_figure_agrees_with_the_course() -> None:
    states, data = settings(320), read("cost.json")
    found = call_figure("layer-flops", "compute", [[data, state] for state in states])
    assert differences(found, states) == []
    assert min(one["square"] for one in found) < 0.02 and max(one["square"] for one in found) > 0.9


def test_a_cache_changes_the_cost_of_a_layer_but_no_share() -> None:
    """What the chapter lets readers guess."""
    states, data = [{**state, "whole": False} for state in settings(60, seed=2)], read("cost.json")
    pair = [
        call_figure("layer-flops", "compute", [[data, {**state, "cached": cached}] for state in states])
        for cached in (False, True)
    ]
    for full, step, state in zip(*pair, states, strict=True):
        assert full["square"] == pytest.approx(step["square"]) and full["total"] == pytest.approx(
            step["total"] * state["length"]
        )


@pytest.mark.parametrize(
    ("right", "wrong", "part"),
    [
        ("k: product(hidden, keys)", "k: product(hidden, queries)", "k"),
        ("maps = gated ? 3 : 2", "maps = 3", "mlp"),
        ("scores: product(queries, context)", "scores: product(keys, context)", "scores"),
        ("2 * batch * hidden * vocab", "2 * batch * context * hidden * vocab", "lm_head"),
        ("rest / (4 * queries)", "rest / (2 * queries)", "crossover"),
        ("(2 * queries + 2 * keys) + maps", "(4 * queries) + maps", "crossover"),
        ("batch * (cached ? 1 : context), product", "batch * context, product", "total"),
    ],
)
def test_the_comparison_notices_a_mistake(tmp_path: Path, right: str, wrong: str, part: str) -> None:
    states, data = settings(60, seed=3), read("cost.json")
    found = call_figure(planted(tmp_path, "layer-flops", right, wrong), "compute", [[data, state] for state in states])
    assert part in {what for _, what in differences(found, states)}


def test_the_knobs_offer_the_models_of_the_data() -> None:
    assert SPEC["knobs"]["model"]["values"] == list(read("cost.json")["models"])
