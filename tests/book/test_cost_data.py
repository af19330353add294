"""The data of part II's figures: up to date, and the reference agrees with the course's own functions and published figures."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from tests.book.data import read, script, solved


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    return script("make_cost")


@pytest.fixture(scope="module")
def data() -> dict:
    return {**read("cost.json"), "reference": read("cost_reference.json")}


def test_the_files_are_what_their_script_writes(maker: ModuleType) -> None:
    for name, made in (("cost.json", maker.make()), ("cost_reference.json", maker.reference())):
        assert read(name) == json.loads(json.dumps(made)), "run `python book/_data/make_cost.py`"


def test_the_settings_reach_both_sides_of_every_question(data: dict) -> None:
    results = [row["result"] for row in data["reference"]]
    assert {row["bound"] for row in results} == {"compute", "memory"} and {row["fits"] for row in results} == {True, False}
    assert {row["model"] for row in data["reference"]} == set(data["models"])
    assert {row["accelerator"] for row in data["reference"]} == set(data["accelerators"])
    assert any(row["largest_batch"] == 0 for row in results)


def test_the_reference_agrees_with_the_students_functions(data: dict) -> None:
    """Where weights and cache have one width, these are decode_step, largest_batch and roofline."""
    flops = solved("flops")
    compared = 0
    for row in data["reference"]:
        width = data["weights"][row["weights"]]
        if width != data["caches"][row["cache"]]:
            continue
        model, chip, result = data["models"][row["model"]], data["accelerators"][row["accelerator"]], row["result"]
        step = flops.decode_step(model, chip, row["batch"], row["context"], width)
        assert result["weight_bytes"] + result["cache_bytes"] == step["bytes"] and result["flops"] == step["flops"]
        assert result["seconds"] == pytest.approx(step["seconds"])
        assert result["tokens_per_second"] == pytest.approx(step["tokens_per_second"])
        assert result["largest_batch"] == flops.largest_batch(model, chip, row["context"], width)
        assert result["fits"] == (row["batch"] <= result["largest_batch"])
        roof = flops.roofline(chip, step["flops"], step["bytes"])
        assert (result["bound"], result["intensity"], result["attained"]) == (
            roof["bound"], pytest.approx(roof["intensity"]), pytest.approx(roof["flops_per_second"]))
        compared += 1
    assert compared > 50


def test_published_figures(maker: ModuleType, data: dict) -> None:
    assert data["models"]["Llama-2-70B"]["parameters"] == 68_976_648_192
    assert data["models"]["Llama-3.1-8B"]["parameters"] == 8_030_261_248
    study = maker.point("Llama-2-13B", "H100 SXM", 64, 1024, "bfloat16", "bfloat16")
    assert round(study["seconds"] * 1e3, 1) == 23.8 and round(study["tokens_per_second"]) == 2689 and study["fits"]
    assert maker.point("OPT-13B", "L4", 1, 1024, "4 bits", "bfloat16")["cache_bytes"] == 1024 * 800 * 1024


def test_narrow_weights_help_small_batches_and_a_narrow_cache_large_ones(maker: ModuleType) -> None:
    def seconds(batch: int, weights: str, cache: str) -> float:
        return maker.point("Llama-2-13B", "H100 SXM", batch, 1024, weights, cache)["seconds"]

    for batch, weights_win in ((1, True), (256, False)):
        plain = seconds(batch, "bfloat16", "bfloat16")
        assert (plain / seconds(batch, "8 bits", "bfloat16") > plain / seconds(batch, "bfloat16", "8 bits")) is weights_win
