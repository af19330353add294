"""Lab 2's numeric keys, computed again: FLOPs as torch counts them on Hugging Face's models, the rest by search."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import DynamicCache, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from tests.lab import labs

BANDWIDTH, PEAK = 3.35e12, 989e12


@pytest.fixture(scope="module")
def keys():
    return {name: key.value for name, key in labs.keys("lab2").items()}


def llama(layers: int, width: int, heads: int, kv: int, inner: int, vocab: int):
    with torch.device("meta"):
        return LlamaForCausalLM(LlamaConfig(
            num_hidden_layers=layers, hidden_size=width, num_attention_heads=heads, num_key_value_heads=kv,
            intermediate_size=inner, vocab_size=vocab, attn_implementation="eager"))


def counted(model, new: int, past: DynamicCache | None = None, keep: int = 0) -> dict:
    """FLOPs of one pass by kind of product: "mm" with weights, "bmm" of scores and values."""
    before = past.get_seq_length() if past is not None else 0
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, new, dtype=torch.long), attention_mask=torch.zeros(1, 1, new, before + new),
              position_ids=torch.zeros(1, new, dtype=torch.long), past_key_values=past, use_cache=past is not None,
              logits_to_keep=keep)
    kinds: dict = {}
    for op, count in counter.get_flop_counts()["Global"].items():
        kind = "bmm" if "bmm" in str(op) else "mm"
        kinds[kind] = kinds.get(kind, 0) + count
    return kinds


def test_the_square_of_a_layer(keys):
    layers = [counted(llama(n, 4096, 32, 8, 14336, 128), 8192, keep=1) for n in (1, 2)]
    layer = {kind: layers[1][kind] - layers[0][kind] for kind in ("mm", "bmm")}
    assert keys["square-share"] == pytest.approx(layer["bmm"] / (layer["mm"] + layer["bmm"]), rel=1e-12)


def test_flops_of_the_large_model(keys):
    model = llama(80, 8192, 64, 8, 28672, 32000)
    work, size = sum(counted(model, 4096).values()), sum(p.numel() for p in model.parameters())
    assert keys["flops-per-parameter"] == pytest.approx(work / 4096 / size, rel=1e-12)
    past = DynamicCache()
    counted(model, 64, past)
    held = 2 * sum(layer.keys.numel() + layer.values.numel() for layer in past.layers) / 64  # bytes a token in bfloat16
    assert keys["kv-gib"] == held * 16 * 4096 / 2**30


def through(points: dict[int, int], n: int) -> Fraction:
    """The parabola through three points, at n (Lagrange)."""
    total = Fraction(0)
    for a, y in points.items():
        term = Fraction(y)
        for b in points:
            if b != a:
                term *= Fraction(n - b, a - b)
        total += term
    return total


def test_what_the_cache_saves(keys):
    """A pass over n tokens costs a parabola in n, one more token a line; three counted passes give both exactly."""
    with torch.device("meta"):
        gpt2 = GPT2LMHeadModel(GPT2Config(attn_implementation="eager"))
    whole = {n: sum(counted(gpt2, n, keep=1).values()) for n in (10, 50, 109)}
    step = {}
    for n in (11, 40, 109):
        past = DynamicCache()
        counted(gpt2, n - 1, past)
        step[n] = sum(counted(gpt2, 1, past, keep=1).values())
    assert through(whole, 77) == sum(counted(gpt2, 77, keep=1).values())
    plain = sum(through(whole, n) for n in range(10, 110))
    cached = whole[10] + sum(through(step, n) for n in range(11, 110))
    assert keys["cache-gain"] == pytest.approx(float(plain / cached), rel=1e-12)


def test_the_border_of_a_product(keys):
    def reaches(rows: int) -> bool:
        work = 2 * rows * 4096 * 11008
        return work / PEAK >= 2 * (rows * 4096 + 4096 * 11008 + rows * 11008) / BANDWIDTH

    assert keys["compute-bound-rows"] == next(rows for rows in range(1, 2000) if reaches(rows))


def test_ever_larger_batches(keys):
    """Both times of a step, arithmetic and transfer, at a batch that fills any memory."""
    eight = llama(32, 4096, 32, 8, 14336, 128256)
    size = sum(p.numel() for p in eight.parameters())
    past = DynamicCache()
    counted(eight, 2047, past)
    work = sum(counted(eight, 1, past, keep=1).values())
    cache = 2 * sum(layer.keys.numel() + layer.values.numel() for layer in past.layers)
    batch = 10**9
    seconds = max(batch * work / PEAK, (2 * size + batch * cache) / BANDWIDTH)
    assert keys["throughput-limit"] == pytest.approx(batch / seconds, rel=1e-6)


def test_what_fits_on_an_a100(keys):
    thirteen = llama(40, 5120, 40, 40, 13824, 32000)
    weights = 2 * sum(p.numel() for p in thirteen.parameters())
    sizes = [weights + batch * 2048 * 40 * 2 * 5120 * 2 for batch in range(100)]
    assert keys["batch-on-a100"] == max(batch for batch, total in enumerate(sizes) if total <= 80e9)


def test_the_time_of_an_answer(keys):
    arrivals = [0.8 + 0.045 * i for i in range(120)]
    assert keys["total-time"] == pytest.approx(arrivals[-1]) and math.isclose(arrivals[-1], 6.155)
