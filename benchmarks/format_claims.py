"""Computes what part IV and the ledger say about formats and grids: results/formats.json.

    python -m benchmarks.format_claims

Nothing here is timed. The model is the shipped target; the code is solutions/quantization.py.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

import llmlab
from benchmarks.record import write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import models, quantization as q  # noqa: E402  (after the choice of the code)
from llmlab.checks.flops import oracle  # noqa: E402
from llmlab.models.parts import Parts  # noqa: E402
from llmlab.models.shapes import MODELS  # noqa: E402

COMMAND = "python -m benchmarks.format_claims"
STORY = "Once upon a time there was a little girl named Mira. One day she found a small key under the old tree."
Values = dict[str, float | int | str]
K_BITS = {"q4_k": 8 * 144 / 256, "q5_k": 8 * 176 / 256, "q6_k": 8 * 210 / 256}
"""Bits per weight of llama.cpp's k-quants, from the bytes of a super-block of 256 (tests ask the gguf package)."""


def mixed(name: str, base: str) -> float:
    """Bits per weight of llama.cpp's _M mix: base, but Q6_K for the output matrix and half of attn_v and ffn_down.

    With eight query heads or more on a key-value head (70B) the rest of attn_v gets Q5_K. llama-quant.cpp,
    `llama_tensor_get_type`. Norms are float32.
    """
    m = MODELS[name]
    layers, width, kv = m["layers"], m["hidden"], m["kv_heads"] * m["head_dim"]
    more = [i < layers // 8 or i >= 7 * layers // 8 or (i - layers // 8) % 3 == 2 for i in range(layers)]
    plain, bits, count = K_BITS[base], 0.0, 0

    def add(numbers: int, each: float) -> None:
        nonlocal bits, count
        bits, count = bits + numbers * each, count + numbers

    for high in more:
        shared = "q5_k" if m["heads"] >= 8 * m["kv_heads"] and base == "q4_k" else base
        add(kv * width, K_BITS["q6_k" if high else shared])
        add(m["mlp"] * width, K_BITS["q6_k"] if high else plain)
        add(2 * width * m["heads"] * m["head_dim"] + kv * width + 2 * m["mlp"] * width, plain)
        add(2 * width, 32)
    add(m["vocab"] * width, plain)
    add(m["vocab"] * width, K_BITS["q6_k"])
    add(width, 32)
    assert count == oracle.held(m), (count, oracle.held(m))
    return bits / count


def sizes() -> Values:
    """Bits per weight, and gigabytes of Llama-2-70B with all its parameters in a format."""
    count = oracle.held(MODELS["Llama-2-70B"])
    bits = {
        "fp16": 16.0,
        "int8_channel": q.bits_per_weight(8, 8192, 16),
        "int4_g128": q.bits_per_weight(4, 128, 16), "int4_g128_zero": q.bits_per_weight(4, 128, 16, 4),
        "int4_g32": q.bits_per_weight(4, 32, 16),
        "nf4": q.bits_per_weight(4, 64, 32), "nf4_double": q.bits_per_weight(4, 64, 8, block=256),
        "q8_0": q.q8_0(torch.zeros(32)).numel() * 8 / 32, "q4_0": q.q4_0(torch.zeros(32)).numel() * 8 / 32,
        "q4_k": q.q4_k(torch.zeros(256)).numel() * 8 / 256, "q5_k": K_BITS["q5_k"], "q6_k": K_BITS["q6_k"],
        "q4_k_m": mixed("Llama-2-70B", "q4_k"), "q5_k_m": mixed("Llama-2-70B", "q5_k"),
    }
    values: Values = {"parameters_70b": count, "q4_k_m_7b": mixed("Llama-2-7B", "q4_k"),
                      "q5_k_m_7b": mixed("Llama-2-7B", "q5_k")}
    for name, each in bits.items():
        values |= {f"bits_{name}": each, f"gb_{name}": count * each / 8 / 1e9}
    return values


def error(back: Tensor, x: Tensor) -> float:
    """Mean squared error over mean square."""
    return float((back - x).square().mean() / x.square().mean())


def int8(x: Tensor) -> Tensor:
    return q.dequantize(*q.symmetric(x, 8, "tensor"))


def e4m3(x: Tensor) -> Tensor:
    step = x.abs().max() / 448
    return q.round_float(x / step, 4, 3, 448.0) * step


def eight_bits() -> Values:
    """int8 against E4M3, a scale for the tensor, without and with outliers. E4M3's scale puts absmax on 448."""
    generator = torch.Generator().manual_seed(2)
    normal = torch.randn(1, 100_000, generator=generator)
    loud = normal.clone()
    loud[0, :100] *= 100
    values: Values = {"loud_numbers": 100, "loud_factor": 100, "loud_of": 100_000}
    rest = slice(100, None)  # what becomes of the ordinary ones
    return values | {"eight_int_normal": error(int8(normal), normal),
                     "eight_float_normal": error(e4m3(normal), normal),
                     "eight_int_rest_loud": error(int8(loud)[:, rest], loud[:, rest]),
                     "eight_float_rest_loud": error(e4m3(loud)[:, rest], loud[:, rest])}


@torch.no_grad()
def cache_errors() -> Values:
    """Error of the attention output of the target with a quantized cache: where the scales are decides."""
    lm = models.load("target")
    model, ids = Parts(lm), torch.tensor([lm.encode(STORY)])
    x, where = model.embed(ids), torch.arange(ids.shape[1])[None]
    totals: dict[str, list[float]] = {}

    def attended(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        return torch.nn.functional.scaled_dot_product_attention(query, keys, values, is_causal=True, enable_gqa=True)

    for layer in range(model.n_layers):
        query, keys, values = model.qkv(layer, x, where)
        right = attended(query, keys, values)
        for bits in (8, 4):
            k, ks, v, vs = q.quantize_kv(keys, values, bits)
            per_token, steps, per_channel, other = q.quantize_kv(values, keys, bits)  # the other way round
            ways = {"kivi": (k * ks, v * vs), "keys_token": (per_channel * other, v * vs),
                    "values_channel": (k * ks, per_token * steps)}
            for name, (kept_keys, kept_values) in ways.items():
                totals.setdefault(f"kv{bits}_{name}",
                                  []).append(error(attended(query, kept_keys, kept_values), right))
        size = keys.abs().amax((0, 2))  # (K, d)
        totals.setdefault("kv_key_channels", []).append(float((size.amax(1) / size.median(1).values).max()))
        size = values.abs().amax((0, 2))
        totals.setdefault("kv_value_channels", []).append(float((size.amax(1) / size.median(1).values).max()))
        x = model.finish(layer, x, right)
    return {name: sum(each) / len(each) for name, each in totals.items()} | {"kv_tokens": ids.shape[1]}


def formats() -> Values:
    """Largest numbers and steps of the formats, by decoding all their patterns."""
    values: Values = {}
    for name, e, m, infinities in (("fp16", 5, 10, True), ("bf16", 8, 7, True), ("e5m2", 5, 2, True),
                                   ("e4m3", 4, 3, False)):
        every = q.decode_float(torch.arange(2 ** (e + m)), e, m, infinities)
        finite = every[every.isfinite()]
        values |= {f"{name}_largest": float(finite.max()), f"{name}_step_at_1": float(finite[finite > 1].min() - 1)}
    ieee = q.decode_float(torch.arange(128), 4, 3, True)
    return values | {"e4m3_ieee_largest": float(ieee[ieee.isfinite()].max())}


if __name__ == "__main__":
    torch.set_num_threads(1)
    write("formats", COMMAND, {**sizes(), **eight_bits(), **cache_errors(), **formats()})
