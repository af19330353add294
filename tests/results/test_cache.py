"""Numbers of cache.json and decode_speed.json, computed again with Hugging Face where nothing is timed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def values(name: str) -> dict:
    return json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))["values"]


@pytest.fixture(scope="module")
def hf():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = ROOT / "llmlab" / "models" / "weights" / "target"
    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float64
    ).eval(), AutoTokenizer.from_pretrained(folder)


@torch.no_grad()
def traced(model, ids: torch.Tensor, mask: torch.Tensor | None = None) -> list[torch.Tensor]:
    """Outputs (1, T, ...) of the projections, of attention and of the layer, in every layer."""
    found: list[torch.Tensor] = []
    hooks = [
        module.register_forward_hook(
            lambda m, a, out: found.append(out[0] if isinstance(out, tuple) else out)
        )
        for layer in model.model.layers
        for module in (
            layer.self_attn.q_proj,
            layer.self_attn.k_proj,
            layer.self_attn.v_proj,
            layer.self_attn,
            layer,
        )
    ]
    try:
        model(ids, attention_mask=mask)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def test_old_rows_in_hugging_faces_model(hf):
    cache, (model, tokenizer) = values("cache"), hf
    ids = tokenizer(
        "Once upon a time there was a little girl named Mira. One day",
        add_special_tokens=False,
        return_tensors="pt",
    ).input_ids[:, : cache["old_rows"] + 1]
    before, after = traced(model, ids[:, :-1]), traced(model, ids)
    assert len(before) == cache["activations"] and cache["activations_causal"] == 0
    assert max(float((b - a[:, :-1]).abs().max()) for b, a in zip(before, after, strict=True)) < 1e-10
    masks = [torch.zeros(1, 1, n, n, dtype=torch.float64) for n in (ids.shape[1] - 1, ids.shape[1])]
    before, after = traced(model, ids[:, :-1], masks[0]), traced(model, ids, masks[1])
    moved = [float((b - a[:, :-1]).abs().max()) for b, a in zip(before, after, strict=True)]
    assert sum(x > 1e-4 for x in moved) == cache["activations_full"]


def test_rows_with_and_without_a_cache():
    speed, cache = values("decode_speed"), values("cache")
    for new in (50, 256, 1000):
        off, on = sum(len(range(16 + i)) for i in range(new)), 16 + (new - 1)
        assert (speed[f"rows_off_{new}"], speed[f"rows_on_{new}"]) == (off, on)
        assert speed[f"rows_ratio_{new}"] == pytest.approx(off / on)
    assert (cache["rows_off"], cache["rows_on"]) == (1725, 59)


def test_bytes_and_copies(hf):
    from transformers import DynamicCache

    cache, held = values("cache"), DynamicCache()
    with torch.no_grad():
        hf[0](torch.arange(10, 20)[None], past_key_values=held)
    numbers = sum(layer.keys.numel() + layer.values.numel() for layer in held.layers)
    assert cache["token_bytes"] == 4 * numbers // 10
    assert cache["window_bytes"] == (cache["window"] - 1) * cache["token_bytes"]
    assert cache["full_bytes"] == cache["window_text"] * cache["token_bytes"]
    assert cache["reach"] == cache["layers"] * (cache["window"] - 1) + 1
    assert cache["copies_doubling"] < 2 * 1000 < cache["copies_by_one"]


def test_both_sides_of_a_comparison_wrote_the_same_tokens():
    speed = values("decode_speed")
    same = [value for key, value in speed.items() if key.endswith("_same")]
    assert len(same) == 7 and min(same) > 0.95


def test_passes_agree_to_rounding():
    cache = values("cache")
    assert cache["split_difference"] < 1e-4 and cache["chunk_difference"] < 1e-4
    assert cache["nats_right"] < 0.1 < 1 < cache["nats_restarted"]
