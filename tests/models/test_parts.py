"""The model taken apart: put together again with plain attention it is the lean Llama, and Hugging Face's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from llmlab.models import load
from llmlab.models.parts import Parts

from .conftest import as_hf, random_llama

IDS = torch.randint(1, 97, (2, 9), generator=torch.Generator().manual_seed(5))


def whole(parts: Parts, ids: torch.Tensor, positions: torch.Tensor | None = None) -> torch.Tensor:
    """Logits of a whole pass: the parts with torch's own causal attention between them."""
    x = parts.embed(ids)
    where = torch.arange(ids.shape[1]).expand_as(ids) if positions is None else positions
    for layer in range(parts.n_layers):
        q, k, v = parts.qkv(layer, x, where)
        x = parts.finish(layer, x, F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True))
    return parts.logits(x)


def test_together_they_are_the_lean_forward_and_hugging_faces():
    model = random_llama()
    got = whole(Parts(model), IDS)
    with torch.no_grad():
        assert (got - model(IDS)).abs().max() <= 1e-5
        assert (got - as_hf(model)(IDS).logits).abs().max() <= 1e-4


@pytest.mark.parametrize("name", ["target", "draft", "wide"])
def test_together_they_are_the_shipped_models(name):
    lm = load(name)
    ids = torch.tensor([lm.encode("Once upon a time there was")])
    assert (whole(Parts(lm), ids) - lm.logits(ids)).abs().max() <= 1e-4


def test_the_facts_are_those_of_the_config():
    parts = Parts("target")
    config = load("target").config
    assert (parts.n_layers, parts.n_heads, parts.n_kv_heads, parts.head_dim) == (
        config.num_hidden_layers,
        config.num_attention_heads,
        config.num_key_value_heads,
        config.head_dim,
    )
    assert (parts.width, parts.vocab_size, parts.dtype) == (
        config.hidden_size,
        config.vocab_size,
        torch.float32,
    )


def test_rotary_positions_know_distances_only():
    parts = Parts(random_llama(dtype=torch.float64))
    where = torch.arange(9).expand_as(IDS)
    near, far = whole(parts, IDS, where), whole(parts, IDS, where + 30)
    assert (near - far).abs().max() < 1e-4  # the angles are made in float32
    assert (near - whole(parts, IDS, where * 2)).abs().max() > 0.1


def test_rows_are_counted_where_they_enter():
    parts = Parts(random_llama())
    whole(parts, IDS)
    assert parts.rows == IDS.numel()
    parts.rows = 0
    parts.embed(IDS[:, :1])
    assert parts.rows == len(IDS)


X, WHERE = torch.zeros(2, 3, 32), torch.arange(3).expand(2, 3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda p: p.embed(torch.tensor([1, 2])), r"\(B, T\) of integers, got torch.int64 \(2,\)"),
        (lambda p: p.embed(torch.tensor([[97]])), "0..96, got 97 to 97"),
        (lambda p: p.embed(torch.tensor([[-1]])), "got -1"),
        (lambda p: p.qkv(3, X, WHERE), "no layer 3; there are 0..2"),
        (lambda p: p.qkv(-1, X, WHERE), "no layer -1"),
        (lambda p: p.qkv(0, X[0], WHERE), r"\(B, T, 32\), got \(3, 32\)"),
        (lambda p: p.qkv(0, X, WHERE[:1]), r"of shape \(2, 3\) from 0 on, got torch.int64 of shape \(1, 3\)"),
        (lambda p: p.qkv(0, X, WHERE - 1), "from 0 on"),
        (lambda p: p.finish(0, X, torch.zeros(2, 3, 4, 8)), r"\(2, 4, 3, 8\), got \(2, 3, 4, 8\)"),
        (lambda p: p.logits(torch.zeros(2, 3, 31)), r"got \(2, 3, 31\)"),
    ],
)
def test_what_does_not_fit_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call(Parts(random_llama()))


def test_only_a_llama_comes_apart():
    with pytest.raises(ValueError, match="only a Llama can be taken apart, got Linear"):
        Parts(torch.nn.Linear(2, 2))
