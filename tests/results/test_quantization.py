"""Numbers of quantization.json: a row computed again with torch's own rounding, bits by hand, the book's conclusions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

FILE = Path(__file__).resolve().parents[2] / "results" / "quantization.json"


@pytest.fixture(scope="module")
def found() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def values(found) -> dict:
    return found["values"]


def test_a_row_of_the_table_by_torchs_own_rounding(values):
    """int4 in groups of 32 on the target: the text, the rounding and the three measures without the course's code."""
    from llmlab.models import load
    from llmlab.models.calibrate import rows

    torch.set_num_threads(1)
    lm = load("target")
    ids = rows(lm, values["tokens"] // 128, 128, "validation")
    with torch.inference_mode():
        reference = torch.cat([lm.logits(part) for part in ids.split(8)])
        for name, module in lm.model.model.layers.named_modules():
            if isinstance(module, torch.nn.Linear):
                groups = module.weight.reshape(-1, 32)
                scale = groups.abs().amax(1) / 7
                made = torch.fake_quantize_per_channel_affine(groups, scale, torch.zeros(len(scale)).int(), 0, -7, 7)
                module.weight.copy_(made.view_as(module.weight))
        logits = torch.cat([lm.logits(part) for part in ids.split(8)])
        wanted = ids[:, 1:].flatten()
        before, after = (F.cross_entropy(z[:, :-1].flatten(0, 1), wanted) for z in (reference, logits))
        both = [z.flatten(0, 1).log_softmax(-1) for z in (logits, reference)]
        kl = F.kl_div(*both, reduction="batchmean", log_target=True)
        agreement = (reference.argmax(-1) == logits.argmax(-1)).float().mean()
    assert float(before.exp()) == pytest.approx(values["perplexity"], rel=1e-3)
    assert float((after - before).exp()) == pytest.approx(values["target_int4_32_ratio"], abs=3e-4)
    assert float(kl) == pytest.approx(values["target_int4_32_kl"], rel=0.03)
    assert float(agreement) == pytest.approx(values["target_int4_32_agree"], abs=3e-3)


def test_bits_by_hand(values):
    """Four layers of q 256, k 128, v 128, o 256 rows of 256, gate and up 704 rows of 256, down 256 rows of 704."""
    rows = 4 * (256 + 128 + 128 + 256 + 704 + 704 + 256)
    numbers = 4 * (256 * (256 + 128 + 128 + 256 + 704 + 704) + 256 * 704)
    assert values["bits_int4_channel"] == pytest.approx(4 + 16 * rows / numbers)
    assert values["bits_int4_tensor"] == pytest.approx(4 + 16 * 28 / numbers)
    by_hand = {"int4_32": 4.5, "int3_32": 3.5, "awq4_32": 4.5, "gptq4_32": 4.5, "q8_0": 34 * 8 / 32,
               "q4_0": 18 * 8 / 32, "q4_k": 144 * 8 / 256, "nf4_64": 4.5, "nf4_32": 5.0, "bf16": 16.0}
    assert {key: values[f"bits_{key}"] for key in by_hand} == pytest.approx(by_hand)
    every = values["parameters"]
    for key, bits in by_hand.items():
        size = (numbers * bits + (every - numbers) * 16) / 8e6
        assert values[f"mb_{key}"] == pytest.approx(size)
    assert values["layer_share"] == pytest.approx(numbers / every)


def test_both_variants_compute_what_the_target_computes(values):
    assert values["outlier_difference"] < 1e-3 and values["loud_difference"] < 1e-3


def test_naive_schemes_fail_where_weights_are_loud_and_the_good_ones_do_not(values):
    for key in ("int4_tensor", "int4_channel", "int3_channel"):
        assert values[f"outlier_{key}_ratio"] > 20 > 2 > values[f"target_{key}_ratio"]
    for key in ("int8_channel", "awq4_32", "e4m3"):
        assert values[f"outlier_{key}_ratio"] < 1.01
    best_first = ("awq4_32", "gptq4_32_order", "gptq4_32", "nf4_32", "int4_32", "int4_channel")
    order = [values[f"outlier_{key}_kl"] for key in best_first]
    assert order == sorted(order)


def test_only_the_inputs_tell_which_columns_matter(values):
    keys = ("kept_inputs", "kept_weights", "kept_chance", "int4_32")
    inputs, weights, chance, nothing = (values[f"loud_{key}_kl"] for key in keys)
    assert inputs < 0.5 * nothing and min(weights, chance) > 0.9 * nothing
    assert values["loud_awq4_32_kl"] < 1.1 * inputs and values["bits_awq4_32"] < values["bits_kept_inputs"]


def test_loud_activations_break_int8_and_both_remedies_help(values):
    for remedy in ("llm_int8", "smooth_row", "smooth_tensor"):
        assert values[f"loud_w8a8_{remedy}_ratio"] < 1.01 < 1.05 < values["loud_w8a8_row_ratio"] < 2
    assert values["loud_w8a8_tensor_ratio"] > 2


def test_the_table_is_made_of_the_values(found, values):
    from benchmarks.scheme_table import table

    assert table(values) == found["tables"]["schemes"]
    assert all(len(row) == len(found["tables"]["schemes"]["columns"]) for row in found["tables"]["schemes"]["rows"])


def test_the_written_files_have_the_size_that_the_bits_tell(values):
    """Beyond it: names and places of the tensors in the header, NF4's table, norms whose gains 16 bits do not hold."""
    written = {key.removeprefix("written_mb_"): value for key, value in values.items() if key.startswith("written_mb_")}
    assert set(written) == {key.removeprefix("mb_") for key in values if key.startswith("mb_")}
    for key, size in written.items():
        assert 0 < size - values[f"mb_{key}"] < 0.02, key
