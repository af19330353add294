"""Models put together from layers of other sizes: held against transformers' own Llama of that shape."""

from __future__ import annotations

import pytest
import torch

from llmlab.models import LM
from llmlab.models.smaller import layer_weights, with_layers

from .conftest import TINY, as_hf, random_llama

IDS = torch.tensor([[3, 1, 4, 1, 5, 9]])


@pytest.fixture
def lm(draft) -> LM:
    return LM("tiny", random_llama(), TINY, draft.tokenizer, TINY.vocab_size, {})


def halves(lm: LM, layer: int) -> dict[str, torch.Tensor]:
    """The first key-value head with its two query heads, and the first 20 channels."""
    sizes = {"q_proj": 16, "k_proj": 8, "v_proj": 8, "gate_proj": 20, "up_proj": 20}
    weights = layer_weights(lm, layer)
    small = {name: weights[name][:size] for name, size in sizes.items()}
    return small | {"o_proj": weights["o_proj"][:, :16], "down_proj": weights["down_proj"][:, :20]}


def test_whole_layers_give_the_same_model_with_memory_of_its_own(lm):
    again = with_layers(lm, [layer_weights(lm, i) for i in range(3)])
    before = lm.logits(IDS)
    assert torch.equal(again.logits(IDS), before) and again.config == lm.config
    with torch.no_grad():
        for p in again.model.parameters():
            p.zero_()
    assert torch.equal(lm.logits(IDS), before)


@torch.no_grad()
def test_smaller_layers_give_an_ordinary_llama(lm):
    small = with_layers(lm, [halves(lm, i) for i in range(3)])
    shape = small.config.num_attention_heads, small.config.num_key_value_heads, small.config.intermediate_size
    assert shape == (2, 1, 20) and small.config.head_dim == TINY.head_dim
    assert (small.logits(IDS) - as_hf(small.model)(IDS).logits).abs().max() < 1e-4
    cache = small.new_cache()
    parts = [small.logits(IDS[:, :4], cache=cache), small.logits(IDS[:, 4:], cache=cache)]
    assert (torch.cat(parts, 1) - small.logits(IDS)).abs().max() < 1e-4


def test_layers_that_do_not_fit_are_named(lm):
    whole = [layer_weights(lm, i) for i in range(3)]
    with pytest.raises(ValueError, match="layer 2: q_proj has shape"):
        with_layers(lm, [*whole[:2], halves(lm, 2)])
    with pytest.raises(ValueError, match="2 layers given, the model has 3"):
        with_layers(lm, whole[:2])
