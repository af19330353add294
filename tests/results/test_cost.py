"""results/cost.json, computed again without the course's functions: closed forms, the sources' own formulas.

And every number of that file is quoted in part II or named as evidence, and every quoted one exists.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "results" / "cost.json"
COST = json.loads(FILE.read_text(encoding="utf-8"))["values"]
PEAK, BANDWIDTH = 989e12, 3.35e12


def llama(layers: int, d: int, heads: int, kv: int, mlp: int, norms: bool = True) -> int:
    """Parameters of a Llama-2 with heads of 128 numbers, one matrix after the other."""
    one = d * heads * 128 * 2 + d * kv * 128 * 2 + 3 * d * mlp + (2 * d if norms else 0)
    return layers * one + 2 * 32000 * d + (d if norms else 0)


P7, P13, P70 = llama(32, 4096, 32, 32, 11008), llama(40, 5120, 40, 40, 13824), llama(80, 8192, 64, 8, 28672)


def value(key: str):
    return COST[key]


def test_parameters_and_the_rule() -> None:
    assert [value(f"params_{key}") for key in ("7b", "70b")] == [P7, P70]
    rule = 12 * 32 * 4096**2
    assert value("params_gpt2") == 124_439_808 and value("params_70b_16_kv_heads") == llama(80, 8192, 64, 16, 28672)
    assert value("rule_gpt4") == 12 * 120 * 12288**2
    assert value("rule_gpt4_factor") == pytest.approx(1.7e12 / value("rule_gpt4"))
    assert value("rule_7b_error") == pytest.approx(rule / P7 - 1)
    assert value("rule_7b_with_vocabulary_error") == pytest.approx((rule + 64000 * 4096) / P7 - 1)
    assert value("rule_70b_error") == pytest.approx(12 * 80 * 8192**2 / P70 - 1)
    assert value("rule_gpt2_error") == pytest.approx(144 * 768**2 / 124_439_808 - 1)
    assert (value("attention_70b_d2"), value("mlp_70b_d2")) == (2 + 2 / 8, 3 * 3.5)
    assert (value("width_7b"), value("width_70b")) == (11008 / 4096, 28672 / 8192)
    assert value("weights_7b_gib") == pytest.approx(2 * P7 / 2**30)
    assert value("weights_70b_gb") == pytest.approx(2 * P70 / 1e9)
    assert value("weights_70b_8_bits_gb") == pytest.approx(P70 / 1e9)


def test_flops_per_parameter() -> None:
    """Products with all weights but the embedding's, and scores and values on top."""
    n = value("counted_tokens")
    work = 2 * n * (P7 - 32000 * 4096 - 65 * 4096) + 4 * n * n * 4096 * 32
    assert value("forward_per_parameter") == pytest.approx(work / P7 / n)
    assert value("training_per_parameter") == pytest.approx(3 * work / P7 / n)
    assert value("rule_2np_missing_4096") == pytest.approx(4 * 4096**2 * 4096 * 32 / (2 * 4096 * P7))
    body = 24 * 100 * 768**2 * 12 + 4 * 100**2 * 768 * 12
    head = 2 * 768 * 50257
    assert value("lm_head_gpt2") == pytest.approx(99 * head / (body + 100 * head))
    body = 2 * 100 * (P70 - 2 * 32000 * 8192 - 161 * 8192) + 4 * 100**2 * 8192 * 80
    head = 2 * 8192 * 32000
    assert value("lm_head_70b") == pytest.approx(99 * head / (body + 100 * head))


def test_a_layer_and_its_square() -> None:
    for s in (512, 4096):
        assert value(f"share_{s}") == pytest.approx(s / (6 * 4096 + s))
    assert value("crossover") == 6 * 4096


def test_how_the_cost_of_a_text_grows() -> None:
    n = np.arange(1, 4001, dtype=np.float64)
    for name, new in (("plain", n), ("cached", np.ones_like(n))):
        for part, cost in (("linear", new), ("square", new * n)):
            total = cost.cumsum()
            assert value(f"exponent_{name}_{part}") == pytest.approx(math.log2(total[3999] / total[1999]))
    s, new = value("gpt2_prompt"), value("gpt2_new")
    head, layers, d = 2 * 768 * 50257, 12, 768
    plain = sum(layers * (24 * t * d * d + 4 * t * t * d) + head for t in range(s, s + new))
    cached = layers * (24 * (s + new - 1) * d * d + 4 * d * (s * s + sum(range(s + 1, s + new)))) + new * head
    assert value("gpt2_plain_gflop") == pytest.approx(plain / 1e9)
    assert value("gpt2_cached_gflop") == pytest.approx(cached / 1e9)
    assert value("gpt2_ratio") == pytest.approx(plain / cached)


def test_the_lectures_cache() -> None:
    right, wrong = 2 * 80 * 8 * 128 * 2, 2 * 80 * 8192 * 128 * 2
    assert value("kv_70b_kib") * 1024 == right and value("kv_70b_4096_gib") * 2**30 == 4096 * right
    assert value("kv_70b_16_kv_heads_kib") == 2 * value("kv_70b_kib")
    assert value("kv_70b_all_heads_mib") * 2**20 == 8 * right
    assert value("kv_lecture_mib") * 2**20 == wrong and value("kv_lecture_factor") == wrong / right
    assert value("kv_lecture_4096_tb") == pytest.approx(4096 * wrong / 1e12)
    assert value("kv_lecture_h100s") == pytest.approx(4096 * wrong / 80e9)
    assert (value("kv_7b_kib"), value("kv_13b_kib"), value("kv_7b_4096_gib")) == (512, 800, 2)


def test_intensities() -> None:
    chips = {"h100": (989, 3.35), "h100_pcie": (756, 2.0), "h200": (989, 4.8), "a100": (312, 2.039), "l4": (121, 0.3)}
    for name, (peak, bandwidth) in chips.items():
        assert value(f"ridge_{name}") == pytest.approx(peak / bandwidth)
    ridge = PEAK / BANDWIDTH
    for key, d, w in (("4096", 4096, 2), ("1024", 1024, 2), ("4096_int8", 4096, 1), ("4096_int4", 4096, 0.5)):
        # 2 B d^2 >= ridge (4 B d + w d^2), solved for B
        assert value(f"rows_{key}") == math.ceil(ridge * w * d / (2 * d - 4 * ridge))
    assert value("limit_512") == 256 < ridge
    assert value("one_row_4096") == pytest.approx(1 / (1 + 2 / 4096))
    for tokens in (256, 4096):
        moved = 4 * tokens * 4096 + 4 * tokens * 11008 + 6 * 4096 * 11008
        assert value(f"mlp_{tokens}") == pytest.approx(6 * tokens * 4096 * 11008 / moved)
    s = 4096
    assert value("attention_prefill_4096") == s / 2 and value("attention_decode_4096") == pytest.approx(s / (s + 1))
    assert value("attention_decode_70b_4096") == pytest.approx(8 * s / (8 + s))
    assert value("attention_decode_one_kv_head_4096") == pytest.approx(32 * s / (32 + s))
    assert value("attention_prefill_4096_plain") == pytest.approx(4 * s * s * 4096 / (8 * s * 4096 + 8 * 32 * s * s))


def test_the_study_of_the_lecture() -> None:
    """The formulas of CS336's program, which counts no norms: a difference far below what is shown."""
    for name, kv in (("mha", 40), ("gqa", 8)):
        weights, cache = 2 * llama(40, 5120, 40, kv, 13824, norms=False), 1024 * kv * 128 * 40 * 4
        for batch in (1, 64, 256) if kv == 40 else (64, 256):
            memory = weights + batch * cache
            assert value(f"study_{name}_{batch}_ms") == pytest.approx(memory / BANDWIDTH * 1e3, rel=1e-4)
            assert value(f"study_{name}_{batch}_tokens") == pytest.approx(batch / memory * BANDWIDTH, rel=1e-4)
        assert value(f"study_{name}_256_gb") == pytest.approx((weights + 256 * cache) / 1e9, rel=1e-4)
        assert value(f"study_{name}_largest") == (80e9 - weights) // cache
    published = {"mha_1": (8.02, 125), "mha_64": (23.8, 2689), "mha_256": (71.9, 3562),
                 "gqa_64": (9.97, 6417), "gqa_256": (19.6, 13068)}
    for key, (ms, tokens) in published.items():
        assert float(f"{value(f'study_{key}_ms'):.3g}") == ms and round(value(f"study_{key}_tokens")) == tokens
    assert value("study_ceiling") == pytest.approx(BANDWIDTH / (1024 * 40 * 128 * 40 * 4))
    work = 2 * (P13 - 32000 * 5120 - 81 * 5120) + 4 * 1024 * 5120 * 40
    assert value("study_1_gflop") == pytest.approx(work / 1e9)
    assert value("study_1_arithmetic_us") == pytest.approx(work / PEAK * 1e6)
    assert value("study_1_slowdown") == pytest.approx(value("study_mha_1_ms") * 1e3 / value("study_1_arithmetic_us"))
    assert value("study_256_utilisation") == pytest.approx(256 * work / PEAK / value("study_mha_256_ms") * 1e3)


def pass_seconds(parameters: int, d: int, layers: int, batch: int, new: int, context: int) -> tuple[float, float]:
    """(arithmetic, transfer) of a pass of Llama-2: lm_head at the last position, all weights and caches moved once."""
    tokens, norms = batch * new, (2 * layers + 1) * d
    body = parameters - 2 * 32000 * d - norms
    flops = 2 * tokens * body + 2 * batch * 32000 * d + 4 * tokens * context * d * layers
    return flops / PEAK, (2 * parameters + 4 * layers * d * batch * context) / BANDWIDTH


def test_serving() -> None:
    def seven(*work):
        return pass_seconds(P7, 4096, 32, *work)

    def utilisation(*work):
        return seven(*work)[0] / max(seven(*work))

    for prompt in (16, 64, 512):
        gain = 8 * max(seven(1, prompt, prompt)) / max(seven(8, prompt, prompt))
        assert value(f"prefill_gain_{prompt}") == pytest.approx(gain)
    assert value("decode_gain") == pytest.approx(8 * max(seven(1, 1, 64)) / max(seven(8, 1, 64)))
    assert value("mfu_one") == pytest.approx(utilisation(1, 1, 1))
    for share, key in ((0.05, "mfu_5_batch"), (0.3, "mfu_30_batch")):
        assert utilisation(value(key), 1, 1) >= share > utilisation(value(key) - 1, 1, 1)
    assert value("mfu_2048_limit") == pytest.approx(utilisation(100_000, 1, 2048))
    assert utilisation(10**9, 1, 2048) == pytest.approx(value("mfu_2048_limit"), abs=1e-4)  # so it is the limit
    border = value("prompt_compute_bound")
    thirteen = [pass_seconds(P13, 5120, 40, 1, n, n) for n in (border - 1, border)]
    assert [arithmetic >= transfer for arithmetic, transfer in thirteen] == [False, True]
    assert value("ttft_13b_ms") == pytest.approx(max(pass_seconds(P13, 5120, 40, 1, 1024, 1024)) * 1e3)
    assert value("total_right") == pytest.approx(0.4 + 99 * 0.03)
    assert value("total_lecture") == pytest.approx(0.4 + 100 * 0.03)


def quoted() -> set[str]:
    pages = [*(ROOT / "book" / "part2").glob("*.md"), *(ROOT / "book" / "ledger").glob("*.yml")]
    found = {key for page in pages for key in re.findall(r"\{num\}`([\w.]+)", page.read_text(encoding="utf-8"))}
    for path in (ROOT / "book" / "ledger").glob("part*.yml"):
        for row in yaml.safe_load(path.read_text(encoding="utf-8")):
            found |= set(row["evidence"].get("results", {}))
    return {key.removeprefix("cost.") for key in found if key.startswith("cost.")}


def test_every_quoted_number_exists_and_every_number_is_quoted() -> None:
    assert sorted(quoted() - set(COST)) == []
    assert sorted(set(COST) - quoted()) == []


def test_the_origin_names_the_command() -> None:
    origin = json.loads(FILE.read_text(encoding="utf-8"))["origin"]
    source = ROOT / "benchmarks" / "cost_claims.py"
    assert origin["command"] == "python -m benchmarks.cost_claims"
    assert 'write("cost", COMMAND, ' in source.read_text(encoding="utf-8")
