"""results/timing.json and results/gpu_*.json: the claims recomputed from data sheets, the measurements for consistency.

No speed is asserted: only that every number of a run follows from its own times and from the shapes, and that the run
says what it ran on.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNS = sorted((ROOT / "results").glob("gpu_*.json"))
VALUES = json.loads((ROOT / "results" / "timing.json").read_text(encoding="utf-8"))["values"]
# Llama-2-7B: vocabulary 32,000, width 4,096, 32 layers, MLP 11,008; an H100 of 989 TFLOP/s and 3.35 TB/s.
PARAMS = 2 * 32_000 * 4_096 + 32 * (4 * 4_096**2 + 3 * 4_096 * 11_008 + 2 * 4_096) + 4_096
RIDGE = 989e12 / 3.35e12
CACHE = 2 * 32 * 32 * 128 * 2 * 2_048  # two tensors, layers, heads, head size, bytes, tokens


def bound(batch: int, cache: int) -> float:
    """MFU as intensity over ridge, at most 1: another way than the script's, which computes times."""
    return min(1.0, 2 * PARAMS * batch / (2 * PARAMS + batch * cache) / RIDGE)


def test_one_step_has_two_utilisations():
    assert VALUES["ledger_3_08_mbu"] == pytest.approx(1.0)
    assert VALUES["ledger_3_08_mfu"] == pytest.approx(bound(1, CACHE)) and bound(1, CACHE) < 0.004


def test_the_batch_that_a_utilisation_needs():
    assert VALUES["ledger_3_09_mfu_1"] == pytest.approx(1 / RIDGE)
    for percent in (5, 30):
        assert VALUES[f"ledger_3_09_batch_{percent}"] == math.ceil(RIDGE * percent / 100)


def test_caches_put_a_limit_to_it():
    assert VALUES["ledger_3_09_context"] == 2_048
    for batch in (16, 64):
        assert VALUES[f"ledger_3_09_mfu_{batch}"] == pytest.approx(bound(batch, CACHE))
    assert VALUES["ledger_3_09_mfu_limit"] == pytest.approx(2 * PARAMS / CACHE / RIDGE, rel=1e-6)


def test_every_number_is_quoted():
    pages = [*(ROOT / "book" / "part2").glob("*.md"), *(ROOT / "book" / "ledger").glob("*.yml")]
    quoted = {key for page in pages for key in re.findall(r"\{num\}`timing\.(\w+)", page.read_text(encoding="utf-8"))}
    assert quoted == set(VALUES)


def test_there_is_a_run_and_the_cpus_is_among_them():
    assert "gpu_cpu" in {path.stem for path in RUNS}


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_a_run_says_what_it_ran_on(path):
    run = json.loads(path.read_text(encoding="utf-8"))
    values, origin = run["values"], run["origin"]
    assert origin["command"] == "python -m benchmarks.gpu" and re.fullmatch(r"\d{4}-\d\d-\d\d", origin["date"])
    assert values["device"].startswith("CPU: " if path.stem == "gpu_cpu" else "GPU: ")
    assert values["driver"] and values["torch"] == origin["torch"] and values["roof_source"]
    if path.stem != "gpu_cpu":
        assert re.fullmatch(r"[\d.]+", values["driver"]) and values["cuda"] != "None"


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_the_rates_of_a_run_follow_from_its_times(path):
    values = json.loads(path.read_text(encoding="utf-8"))["values"]
    item = {"float32": 4, "bfloat16": 2}[values["dtype"]]
    width, context = values["width"], values["context"]
    heads, kv, dim = values["heads"], values["kv_heads"], values["hidden"] // values["heads"]
    kinds = {"matmul": lambda n: (2 * n**3, 3 * n * n * item),
             "vectors": lambda n: (2 * n * width**2, (2 * n * width + width**2) * item),
             "attention": lambda n: (4 * n * heads * context * dim, 2 * n * dim * (kv * context + heads) * item)}
    seen = 0
    for key, ms in values.items():
        found = re.fullmatch(r"(matmul|vectors|attention)_(\d+)_ms", key)
        if found:
            name, (flops, moved) = f"{found[1]}_{found[2]}", kinds[found[1]](int(found[2]))
            roof = min(values["roof_flop_per_s"], flops / moved * values["roof_byte_per_s"])
            assert values[f"{name}_intensity"] == pytest.approx(flops / moved)
            assert values[f"{name}_flop_per_s"] == pytest.approx(flops / ms * 1e3)
            assert values[f"{name}_share"] == pytest.approx(flops / ms * 1e3 / roof)
            seen += 1
    assert seen >= 15
    for key, params in values.items():
        if found := re.fullmatch(r"step_(\d+)_param_bytes", key):
            best = min(values[f"step_{found[1]}_{how}_ms"] for how in ("eager", "graph"))
            moved = params + values[f"step_{found[1]}_cache_bytes"]
            assert values[f"step_{found[1]}_mbu"] == pytest.approx(moved / best * 1e3 / values["roof_byte_per_s"])


def test_the_book_lists_every_kind_that_the_script_measures():
    script = (ROOT / "benchmarks" / "gpu.py").read_text(encoding="utf-8")
    measured = set(re.findall(r'point\(f"(\w+)_\{', script))
    chapter = (ROOT / "book" / "part2" / "measured.md").read_text(encoding="utf-8")
    assert measured == {"matmul", "vectors", "attention"} and all(f'"{name}": ' in chapter for name in measured)
