"""Computes what part II of the book and the lecture ledger say about cost: results/cost.json.

    python -m benchmarks.cost_claims

Nothing here is timed. Numbers come from the course's own functions (solutions/flops.py) on published shapes and
data-sheet figures; the FLOPs of training are counted by torch on Hugging Face's model, made of meta tensors.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

import llmlab
from benchmarks.record import write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab.flops import (  # noqa: E402  (after the choice of the code)
    attention_flops,
    attention_intensity,
    decode_step,
    forward_flops,
    generation_flops,
    kv_cache_bytes,
    largest_batch,
    layer_flops,
    matmul_intensity,
    mlp_flops,
    mlp_intensity,
    parameters,
    request_latency,
    roofline,
)
from llmlab.models.shapes import ACCELERATORS, MODELS  # noqa: E402

COMMAND = "python -m benchmarks.cost_claims"
LLAMA7, LLAMA13, LLAMA70 = (MODELS[f"Llama-2-{size}"] for size in ("7B", "13B", "70B"))
GPT2, H100 = MODELS["GPT-2"], ACCELERATORS["H100 SXM"]
RIDGE = H100["flops"] / H100["bandwidth"]
PROMPT, NEW = 5, 50
Values = dict[str, float | int | str]


def size(model: dict) -> int:
    return sum(parameters(model).values())


def parameter_rows() -> Values:
    """Parameters, the rule 12 L D^2, and the table of the lecture that quotes it."""
    rule = {name: 12 * MODELS[name]["layers"] * MODELS[name]["hidden"] ** 2 for name in ("Llama-2-7B", "Llama-2-70B")}
    d = LLAMA70["hidden"]
    per_layer = {part: parameters(LLAMA70)[part] / LLAMA70["layers"] / d**2 for part in ("attention", "mlp")}
    return {
        "params_gpt2": size(GPT2), "params_7b": size(LLAMA7), "params_70b": size(LLAMA70),
        "rule_7b_error": rule["Llama-2-7B"] / size(LLAMA7) - 1,
        "rule_7b_with_vocabulary_error": (rule["Llama-2-7B"] + 2 * 32000 * 4096) / size(LLAMA7) - 1,
        "rule_70b_error": rule["Llama-2-70B"] / size(LLAMA70) - 1,
        "rule_gpt4": 12 * 120 * 12288**2, "rule_gpt4_factor": 1.7e12 / (12 * 120 * 12288**2),
        "attention_70b_d2": per_layer["attention"], "mlp_70b_d2": per_layer["mlp"],
        "width_7b": LLAMA7["mlp"] / LLAMA7["hidden"], "width_70b": LLAMA70["mlp"] / LLAMA70["hidden"],
        "weights_70b_gb": 2 * size(LLAMA70) / 1e9, "weights_70b_8_bits_gb": size(LLAMA70) / 1e9,
        "lm_head_gpt2": 1 - forward_flops(GPT2, 1, 100, 100) / forward_flops(GPT2, 1, 100, 100, 100),
        "lm_head_70b": 1 - forward_flops(LLAMA70, 1, 100, 100) / forward_flops(LLAMA70, 1, 100, 100, 100),
        "rule_gpt2_error": 12 * 12 * 768**2 / size(GPT2) - 1,
        "params_70b_16_kv_heads": size({**LLAMA70, "kv_heads": 16}),
    }


def counted(tokens: int) -> Values:
    """FLOPs per parameter and token that torch counts on Llama-2-7B: forward, and forward with backward."""
    config = LlamaConfig(hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32,
                         num_key_value_heads=32, vocab_size=32000, attn_implementation="eager")
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
        with FlopCounterMode(display=False) as counter:
            ids, mask = torch.zeros(1, tokens, dtype=torch.long), torch.zeros(1, 1, tokens, tokens)
            out = model(ids, attention_mask=mask, use_cache=False)
            forward = counter.get_total_flops()
            out.logits.sum().backward()
        both = counter.get_total_flops()
    if forward != forward_flops(LLAMA7, 1, tokens, tokens, tokens):
        raise AssertionError("the course's count and torch's differ")
    work = size(LLAMA7) * tokens
    return {"counted_tokens": tokens, "forward_per_parameter": forward / work, "training_per_parameter": both / work}


def lengths() -> Values:
    """Where the quadratic part of a layer of width 4096 begins to matter."""
    def share(s: int) -> float:
        return 4 * s * s * 4096 / layer_flops(1, s, 4096)

    crossover = next(s for s in range(1024, 100_000, 64) if share(s) >= 0.5)
    extra = sum(attention_flops(LLAMA7, 1, 4096, 4096)[part] for part in ("scores", "values")) * LLAMA7["layers"]
    return {"share_512": share(512), "share_4096": share(4096), "crossover": crossover,
            "rule_2np_missing_4096": extra / (2 * 4096 * size(LLAMA7))}


def totals(n: int, cache: bool) -> tuple[int, int]:
    """FLOPs to generate n tokens from one, in projections and MLP, and in scores and values (Llama-2-7B, one layer)."""
    linear = square = 0
    for length in range(1, n + 1):
        new = 1 if cache else length
        parts = attention_flops(LLAMA7, 1, new, length)
        square += parts["scores"] + parts["values"]
        linear += parts["q"] + parts["k"] + parts["v"] + parts["output"] + mlp_flops(LLAMA7, new)
    return linear, square


def growth() -> Values:
    found: Values = {}
    for cache, name in ((False, "plain"), (True, "cached")):
        for part, one, two in zip(("linear", "square"), totals(2000, cache), totals(4000, cache), strict=True):
            found[f"exponent_{name}_{part}"] = math.log2(two / one)
    cost = {cache: sum(generation_flops(GPT2, PROMPT, NEW, cache).values()) for cache in (True, False)}
    return {**found, "gpt2_prompt": PROMPT, "gpt2_new": NEW, "gpt2_plain_gflop": cost[False] / 1e9,
            "gpt2_cached_gflop": cost[True] / 1e9, "gpt2_ratio": cost[False] / cost[True]}


def caches() -> Values:
    wrong = 2 * 80 * 8192 * 128 * 2  # what the lecture multiplies
    return {
        "kv_70b_kib": kv_cache_bytes(LLAMA70, 1, 1) / 2**10,
        "kv_70b_4096_gib": kv_cache_bytes(LLAMA70, 1, 4096) / 2**30,
        "kv_70b_16_kv_heads_kib": kv_cache_bytes({**LLAMA70, "kv_heads": 16}, 1, 1) / 2**10,
        "kv_70b_all_heads_mib": kv_cache_bytes({**LLAMA70, "kv_heads": 64}, 1, 1) / 2**20,
        "kv_lecture_mib": wrong / 2**20, "kv_lecture_factor": wrong / kv_cache_bytes(LLAMA70, 1, 1),
        "kv_lecture_4096_tb": wrong * 4096 / 1e12, "kv_lecture_h100s": wrong * 4096 / H100["memory"],
        "kv_7b_kib": kv_cache_bytes(LLAMA7, 1, 1) / 2**10, "kv_13b_kib": kv_cache_bytes(LLAMA13, 1, 1) / 2**10,
        "kv_7b_4096_gib": kv_cache_bytes(LLAMA7, 1, 4096) / 2**30, "weights_7b_gib": 2 * size(LLAMA7) / 2**30,
    }


def rows_needed(inner: int, columns: int, weight_bytes: float = 2) -> int:
    """The fewest rows with which a product is compute-bound on an H100 in bfloat16."""
    return next(n for n in range(1, 100_000) if matmul_intensity(n, inner, columns, 2, weight_bytes) >= RIDGE)


def intensities() -> Values:
    ridges = {key: ACCELERATORS[name]["flops"] / ACCELERATORS[name]["bandwidth"] for key, name in
              (("h100", "H100 SXM"), ("h100_pcie", "H100 PCIe"), ("h200", "H200"), ("a100", "A100 SXM 80GB"),
               ("l4", "L4"))}
    scores = 2 * 4 * LLAMA7["heads"] * 4096 * 4096  # bytes: scores written and read, then the same with their softmax
    attention = attention_flops(LLAMA7, 1, 4096, 4096)
    work = attention["scores"] + attention["values"]
    moved = work / attention_intensity(LLAMA7, 4096, 4096)
    multi_query = {**LLAMA7, "kv_heads": 1}
    return {
        **{f"ridge_{name}": value for name, value in ridges.items()},
        "rows_4096": rows_needed(4096, 4096), "rows_1024": rows_needed(1024, 1024),
        "limit_512": 512 * 512 / (512 + 512), "rows_4096_int8": rows_needed(4096, 4096, 1),
        "rows_4096_int4": rows_needed(4096, 4096, 0.5), "one_row_4096": matmul_intensity(1, 4096, 4096),
        "mlp_256": mlp_intensity(LLAMA7, 256), "mlp_4096": mlp_intensity(LLAMA7, 4096),
        "attention_prefill_4096": attention_intensity(LLAMA7, 4096, 4096),
        "attention_prefill_4096_plain": work / (moved + scores),
        "attention_decode_4096": attention_intensity(LLAMA7, 1, 4096),
        "attention_decode_70b_4096": attention_intensity(LLAMA70, 1, 4096),
        "attention_decode_one_kv_head_4096": attention_intensity(multi_query, 1, 4096),
    }


def study() -> Values:
    """Llama-2-13B on an H100, 1,024 tokens of context, as in the source lecture, and with 8 kv heads."""
    found: Values = {}
    for name, model, batches in (("mha", LLAMA13, (1, 64, 256)), ("gqa", {**LLAMA13, "kv_heads": 8}, (64, 256))):
        for batch in batches:
            step = decode_step(model, H100, batch, 1024)
            found |= {f"study_{name}_{batch}_ms": step["seconds"] * 1e3,
                      f"study_{name}_{batch}_tokens": step["tokens_per_second"]}
            if batch == 256:
                found[f"study_{name}_{batch}_gb"] = step["bytes"] / 1e9
        found[f"study_{name}_largest"] = largest_batch(model, H100, 1024)
    one, many = (decode_step(LLAMA13, H100, batch, 1024) for batch in (1, 256))
    found |= {"study_1_gflop": one["flops"] / 1e9, "study_1_arithmetic_us": one["flops"] / H100["flops"] * 1e6,
              "study_1_slowdown": one["seconds"] / (one["flops"] / H100["flops"]),
              "study_256_utilisation": many["flops"] / many["seconds"] / H100["flops"]}
    return {**found, "study_ceiling": H100["bandwidth"] / kv_cache_bytes(LLAMA13, 1, 1024)}


def prefill_seconds(model: dict, batch: int, prompt: int) -> float:
    """Least time of a prefill: the arithmetic, or reading the weights and writing the cache."""
    moved = 2 * size(model) + kv_cache_bytes(model, batch, prompt)
    return roofline(H100, forward_flops(model, batch, prompt, prompt), moved)["seconds"]


def utilisation(batch: int, context: int) -> float:
    """Share of the peak that a decode step of Llama-2-7B can reach."""
    step = decode_step(LLAMA7, H100, batch, context)
    return step["flops"] / step["seconds"] / H100["flops"]


def serving() -> Values:
    gains = {f"prefill_gain_{prompt}": 8 * prefill_seconds(LLAMA7, 1, prompt) / prefill_seconds(LLAMA7, 8, prompt)
             for prompt in (16, 64, 512)}
    decode = 8 * decode_step(LLAMA7, H100, 1, 64)["seconds"] / decode_step(LLAMA7, H100, 8, 64)["seconds"]
    batch = {share: next(b for b in range(1, 1000) if utilisation(b, 1) >= share) for share in (0.05, 0.30)}
    times = request_latency(0.0, [0.4 + 0.03 * i for i in range(100)])
    return {
        **gains, "decode_gain": decode, "mfu_one": utilisation(1, 1), "mfu_5_batch": batch[0.05],
        "mfu_30_batch": batch[0.30],
        "mfu_2048_limit": utilisation(100_000, 2048), "ttft_13b_ms": prefill_seconds(LLAMA13, 1, 1024) * 1e3,
        "prompt_compute_bound": next(n for n in range(1, 1000) if forward_flops(LLAMA13, 1, n, n) / H100["flops"] >=
                                     (2 * size(LLAMA13) + kv_cache_bytes(LLAMA13, 1, n)) / H100["bandwidth"]),
        "total_right": times["total"], "total_lecture": times["ttft"] + times["tpot"] * 100,
    }


def main() -> None:
    torch.set_num_threads(1)
    values: Values = {}
    for part in (parameter_rows(), counted(512), lengths(), growth(), caches(), intensities(), study(), serving()):
        values |= part
    write("cost", COMMAND, values)


if __name__ == "__main__":
    main()
