"""Lab 6's numeric keys, computed again: by the solutions in float32, as a student does, and by torch's own formats."""

from __future__ import annotations

import copy
import dataclasses
import types

import pytest
import torch

from llmlab import models
from llmlab.grading import variants
from llmlab.models import calibrate
from llmlab.models.shapes import MODELS
from llmlab.models.widen import empty
from tests.lab import labs


def solved(module: str) -> types.ModuleType:
    found = types.ModuleType(f"solved_{module}")
    exec(compile(variants.solution(module), f"{module}.py", "exec"), found.__dict__)
    return found


quantization, calibration, compression = solved("quantization"), solved("calibration"), solved("compression")


@pytest.fixture(scope="module")
def keys():
    return labs.keys("lab6")


@pytest.fixture(scope="module")
def lm():
    torch.set_num_threads(1)
    return models.load("target")


@pytest.fixture(scope="module")
def flows(lm):
    return calibrate.inputs(lm, calibrate.rows(lm, 8))


@pytest.fixture(scope="module")
def text(lm):
    return calibrate.rows(lm, 4, part="validation")


def close(key, value: float) -> bool:
    return value == pytest.approx(key.value, abs=key.tol / 2)


def test_the_gain_of_groups(keys, lm):
    w = calibrate.matrices(lm)[labs.hidden("lab6").NAME]
    errors = [float((quantization.dequantize(*quantization.symmetric(w, 4, by)) - w).square().mean()) for by in ("tensor", 32)]
    assert close(keys["group-gain"], errors[0] / errors[1])


def test_the_numbers_of_e4m3_by_torch(keys):
    numbers = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).float()
    assert keys["e4m3-numbers"].value == len(set(numbers[numbers.isfinite()].tolist()))


def test_the_size_of_the_large_model(keys):
    shape = MODELS["Llama-2-70B"]
    outer = 2 * shape["vocab"] * shape["hidden"]
    width = shape["heads"] + 2 * shape["kv_heads"]
    layer = shape["hidden"] * (shape["head_dim"] * (width + shape["heads"]) + 3 * shape["mlp"] + 2)
    inner = shape["layers"] * layer + shape["hidden"]
    bits = quantization.bits_per_weight(4, 32, 16)
    assert close(keys["gb-70b"], (inner * bits + outer * 16) / 8e9)


def test_the_gain_of_gptq(keys, lm, flows):
    name = labs.hidden("lab6").NAME
    x, w = flows[name], calibrate.matrices(lm)[name]
    made = calibration.round_to_nearest(w, 3, 32), calibration.gptq(w, calibration.gptq_hessian(x), 3, 32)
    errors = [float((x @ (one - w).T).square().mean()) for one in made]
    assert close(keys["gptq-ratio"], errors[0] / errors[1])


def test_the_growth_of_the_outlier_model(keys, text):
    hard = models.load("outlier")
    rounded, _ = calibration.quantize(calibrate.matrices(hard), 4, 32)
    pair = [calibration.perplexity(one.logits(text), text) for one in (calibrate.changed(hard, rounded), hard)]
    assert close(keys["outlier-ratio"], pair[0] / pair[1])


def test_half_of_the_channels(keys, lm, flows, text):
    state, names = dict(lm.model.state_dict()), ("gate_proj", "up_proj", "down_proj")
    for layer in range(4):
        at = f"model.layers.{layer}.mlp."
        best = compression.channel_importance(flows[f"{at}down_proj.weight"]).topk(352).indices.sort().values.tolist()
        small = compression.prune_channels({name: state[f"{at}{name}.weight"] for name in names}, best)
        state |= {f"{at}{name}.weight": weight for name, weight in small.items()}
    other = copy.copy(lm)
    other.model = empty(dataclasses.replace(lm.config, intermediate_size=352), torch.float32)
    other.model.load_state_dict(state)
    pair = [calibration.perplexity(one.logits(text), text) for one in (other, lm)]
    assert close(keys["half-pruned"], pair[0] / pair[1])
