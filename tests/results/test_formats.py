"""Numbers of formats.json, computed again with gguf and torch where nothing is timed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
VALUES = json.loads((ROOT / "results" / "formats.json").read_text(encoding="utf-8"))["values"]
SPEED = json.loads((ROOT / "results" / "quantization_speed.json").read_text(encoding="utf-8"))["values"]


def llama(layers: int, width: int, kv: int, mlp: int, vocab: int = 32000):
    """Name -> parameters of a Llama as Hugging Face counts them, without memory."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(num_hidden_layers=layers, hidden_size=width, num_attention_heads=width // 128,
                         num_key_value_heads=kv, intermediate_size=mlp, vocab_size=vocab, tie_word_embeddings=False)
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    return {name: one.numel() for name, one in model.named_parameters()}


@pytest.fixture(scope="module")
def seven():
    return llama(32, 4096, 32, 11008)


@pytest.fixture(scope="module")
def seventy():
    return llama(80, 8192, 8, 28672)


def test_sizes_of_the_70b_model(seventy):
    count = sum(seventy.values())
    assert VALUES["parameters_70b"] == count
    for name, bits in (("fp16", 16), ("int8_channel", 8 + 16 / 8192), ("int4_g128", 4 + 1 / 8),
                       ("int4_g128_zero", 4 + 20 / 128),
                       ("int4_g32", 4.5), ("nf4", 4.5), ("nf4_double", 4 + 1 / 8 + 1 / 512)):
        assert VALUES[f"bits_{name}"] == pytest.approx(bits)
        assert VALUES[f"gb_{name}"] == pytest.approx(count * bits / 8e9)


def test_bits_of_the_mixes(seven, seventy):
    """The rule of llama.cpp on tensor names; bits from the gguf package. Its own table prints 4.84 and 4.80."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    bits = {kind: 8 * GGML_QUANT_SIZES[GGMLQuantizationType[kind]][1] / GGML_QUANT_SIZES[GGMLQuantizationType[kind]][0]
            for kind in ("Q4_K", "Q5_K", "Q6_K", "Q8_0", "Q4_0", "F32")}
    for kind in ("Q4_K", "Q5_K", "Q6_K", "Q8_0", "Q4_0"):
        assert VALUES[f"bits_{kind.lower()}"] == bits[kind]

    def kind_of(name: str, layers: int, base: str, shared: bool) -> str:
        if "norm" in name:
            return "F32"
        if name == "lm_head.weight":
            return "Q6_K"
        if "v_proj" in name or "down_proj" in name:
            i = int(name.split(".")[2])
            if i < layers // 8 or i >= 7 * layers // 8 or (i - layers // 8) % 3 == 2:
                return "Q6_K"
            return "Q5_K" if shared and "v_proj" in name and base == "Q4_K" else base
        return base

    for tensors, layers, shared, ending in ((seven, 32, False, "_7b"), (seventy, 80, True, "")):
        for base, key in (("Q4_K", "q4_k_m"), ("Q5_K", "q5_k_m")):
            total = sum(size * bits[kind_of(name, layers, base, shared)] for name, size in tensors.items())
            key = f"{key}{ending}" if ending else f"bits_{key}"
            assert VALUES[key] == pytest.approx(total / sum(tensors.values()))
    assert (round(VALUES["q4_k_m_7b"], 2), round(VALUES["bits_q4_k_m"], 2)) == (4.84, 4.80)


def test_eight_bits_by_torch():
    generator = torch.Generator().manual_seed(2)
    normal = torch.randn(1, VALUES["loud_of"], generator=generator)
    loud = normal.clone()
    loud[0, :VALUES["loud_numbers"]] *= VALUES["loud_factor"]
    for name, x, rest in (("normal", normal, slice(None)), ("rest_loud", loud, slice(100, None))):
        size, kept = x.abs().max(), x[:, rest]
        whole = torch.fake_quantize_per_tensor_affine(x, float(size / 127), 0, -127, 127)[:, rest]
        narrow = ((x * (448 / size)).to(torch.float8_e4m3fn).float() * (size / 448))[:, rest]
        for way, back in (("int", whole), ("float", narrow)):
            error = float((back - kept).square().mean() / kept.square().mean())
            assert VALUES[f"eight_{way}_{name}"] == pytest.approx(error, rel=2e-3)


def test_formats_by_torch():
    for name, kind in (("fp16", torch.float16), ("bf16", torch.bfloat16), ("e5m2", torch.float8_e5m2),
                       ("e4m3", torch.float8_e4m3fn)):
        info = torch.finfo(kind)
        assert VALUES[f"{name}_largest"] == pytest.approx(info.max) and VALUES[f"{name}_step_at_1"] == info.eps


def test_what_the_chapter_says_of_the_measured_speeds():
    """Fewer bits win with one row and lose with 64; the kernel is slow on float32; our layer is no kernel."""
    assert SPEED["rows1_int4_low"] > SPEED["rows1_int8_high"] > 1 > SPEED["rows1_int8_float32_input_high"]
    assert SPEED["rows64_int8_high"] < 1 and SPEED["rows64_int4_high"] < 1 < SPEED["rows64_int8_both_low"]
    assert SPEED["rows1_packed_high"] < 1
