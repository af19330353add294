"""Numbers of compression.json that can be counted, and the order of those that the chapter compares."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmlab.models import load

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def values() -> dict:
    return json.loads((ROOT / "results" / "compression.json").read_text(encoding="utf-8"))["values"]


def test_what_is_left_is_what_a_llama_of_that_shape_has(values):
    config, width, size = load("target").config, 256, 32
    share = config.num_attention_heads // config.num_key_value_heads
    for groups, channels, key in ((4, 704, "parameters"), (values["groups"], values["channels"], "parameters_pruned")):
        attention, mlp = 2 * groups * (share + 1) * size * width, 3 * channels * width
        assert values[key] == config.vocab_size * width + 4 * (attention + mlp + 2 * width) + width
    assert values["share_left"] == pytest.approx(values["parameters_pruned"] / values["parameters"])


def test_the_order_that_the_chapter_tells(values):
    repaired = max(values["ppl_distil"], values["ppl_distil_tau2"])
    assert values["ppl_target"] < repaired < values["ppl_text"] < values["ppl_pruned"]
    assert values["ppl_pruned"] < values["ppl_random"] < values["ppl_reversed"]
    assert values["ppl_tenth_channels"] < values["ppl_tenth_random"]
    assert values["ppl_channels_only"] < values["ppl_groups_only"]
