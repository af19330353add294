"""Lab 3's numeric keys, computed again with Hugging Face's models and caches."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache, MistralConfig, MistralForCausalLM

from tests.lab import labs


@pytest.fixture(scope="module")
def keys():
    return {name: key.value for name, key in labs.keys("lab3").items()}


def ids_of(hf, text: str) -> torch.Tensor:
    return hf[1](text, add_special_tokens=False, return_tensors="pt").input_ids


@torch.no_grad()
def test_layers_whose_keys_change_without_a_causal_mask(keys, hf):
    ids, found = ids_of(hf, labs.hidden("lab3").NINE)[:, :9], []
    for size in (8, 9):
        cache = DynamicCache()
        hf[0](
            ids[:, :size],
            attention_mask=torch.zeros(1, 1, size, size, dtype=torch.float64),
            past_key_values=cache,
        )
        found.append([layer.keys[:, :, :8] for layer in cache.layers])
    changed = [(a - b).abs().max() > 1e-4 for a, b in zip(*found, strict=True)]
    assert keys["bidirectional-layers"] == sum(changed) and not changed[0]


@torch.no_grad()
def test_the_cost_of_positions_that_restart(keys, hf):
    model, ids = hf[0], ids_of(hf, labs.hidden("lab3").TEXT)
    assert labs.hidden("lab3").FIRST == 5 and ids.shape[1] == 49
    cache = DynamicCache()
    rows = [model(ids[:, :5], past_key_values=cache, position_ids=torch.arange(5)[None]).logits[0, -1]]
    for i in range(5, 48):
        rows.append(
            model(ids[:, i : i + 1], past_key_values=cache, position_ids=torch.zeros(1, 1).long()).logits[
                0, -1
            ]
        )
    cost = torch.nn.functional.cross_entropy(torch.stack(rows), ids[0, 5:])
    assert keys["restart-nats"] == pytest.approx(float(cost), abs=1e-4)
    plain = torch.nn.functional.cross_entropy(model(ids).logits[0, 4:-1], ids[0, 5:])
    assert float(plain) < 0.1 < 20 * 0.1 < float(cost), "the text should be one that the model is sure of"


@torch.no_grad()
def test_the_bytes_of_a_token(keys, hf):
    cache, ids = DynamicCache(), ids_of(hf, "The cat sat on the mat.")
    hf[0](ids, past_key_values=cache)
    numbers = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    assert keys["cache-bytes"] == 4 * numbers / ids.shape[1]


def test_what_a_doubling_room_copies(keys):
    room, held, copied = 16, [], 0
    for token in range(1000):
        if len(held) == room:
            room, copied = 2 * room, copied + len(held)
        held.append(token)
    assert keys["growth-copied"] == copied


@torch.no_grad()
def test_only_one_length_gives_the_text_that_was_meant(keys, hf):
    model, ids = hf[0], ids_of(hf, labs.hidden("lab3").TEXT)[:, :12]
    draft, chosen = torch.tensor([[40, 41, 42, 43, 44]]), torch.tensor([[99]])
    meant = model(torch.cat([ids, draft[:, :2], chosen], 1)).logits[:, -1]
    right = []
    for length in range(1, 18):
        cache = DynamicCache()
        model(torch.cat([ids, draft], 1), past_key_values=cache)
        if length < 17:
            cache.crop(length - 17)
        if (model(chosen, past_key_values=cache).logits[:, -1] - meant).abs().max() < 1e-6:
            right.append(length)
    assert right == [keys["rollback-length"]]


@torch.no_grad()
def test_rows_are_those_that_generate_embeds(keys, hf):
    model, rows = hf[0], []
    handle = model.model.embed_tokens.register_forward_hook(
        lambda module, args, out: rows.append(args[0].numel())
    )
    ids = torch.arange(20, 30)[None]
    try:
        counts = []
        for cache in (False, True):
            rows.clear()
            model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=50,
                min_new_tokens=50,
                do_sample=False,
                use_cache=cache,
                pad_token_id=0,
            )
            counts.append(sum(rows))
    finally:
        handle.remove()
    assert counts == [1725, 59] and keys["rows-ratio"] == pytest.approx(counts[0] / counts[1], abs=1e-9)


def test_how_far_back_a_window_reaches(keys):
    """Tokens whose embedding has a gradient of the last output, in a model with as many layers and this window."""
    torch.manual_seed(0)
    model = MistralForCausalLM(
        MistralConfig(
            vocab_size=50,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=4,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            sliding_window=16,
            initializer_range=0.5,
        )
    ).double()
    x = model.model.embed_tokens(torch.arange(90)[None] % 50).detach().requires_grad_()
    model(inputs_embeds=x).logits[0, -1].sum().backward()
    assert keys["window-reach"] == int((x.grad[0].abs().max(-1).values > 0).sum())
