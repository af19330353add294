"""`wide` and `outlier`: other bodies, the same function."""

from __future__ import annotations

import pytest
import torch

from llmlab.models import load
from llmlab.models.widen import widen, with_outliers

from .conftest import TINY, as_hf, left_padded, random_llama

IDS = torch.randint(1, 97, (2, 30), generator=torch.Generator().manual_seed(6))


def logits(model, ids=IDS, mask=None):
    with torch.no_grad():
        return model(ids, mask)


def test_wide_has_the_size_and_the_logits_of_the_target(target):
    wide = load("wide")
    assert (wide.config.num_hidden_layers, wide.config.hidden_size) == (12, 768)
    assert sum(p.numel() for p in wide.model.parameters()) > 20 * sum(
        p.numel() for p in target.model.parameters()
    )
    rows = [
        target.encode(t) for t in ("Once upon a time", "47 + 38\n7 + 8 = 15, write 5, carry", "Chinese: 他")
    ]
    ids, mask = left_padded(rows)
    difference = (wide.logits(ids, mask) - target.logits(ids, mask))[mask.bool()]
    assert difference.abs().max() <= 1e-4
    assert (wide.next_logits(ids, mask).argmax(-1) == target.next_logits(ids, mask).argmax(-1)).all()


@pytest.mark.parametrize("times,layers", [(1, 3), (2, 3), (3, 5), (4, 12)])
def test_widening_keeps_the_function_in_float64(times, layers):
    model = random_llama(dtype=torch.float64)
    wide = widen(model, TINY.hidden_size * times, layers)
    assert (logits(wide) - logits(model)).abs().max() <= 1e-11


def test_a_wide_model_is_a_llama_to_transformers_too():
    wide = widen(random_llama(), TINY.hidden_size * 2, 4)
    with torch.no_grad():
        theirs = as_hf(wide)(input_ids=IDS).logits
    assert (logits(wide) - theirs).abs().max() <= 1e-4


def test_without_the_norm_correction_the_logits_would_differ():
    """The control: the tests above can see the mistake they are there for."""
    model = random_llama(dtype=torch.float64)
    wide = widen(model, TINY.hidden_size * 2, 3)
    with torch.no_grad():
        wide.model.norm.weight[: TINY.hidden_size] = model.model.norm.weight
    assert (logits(wide) - logits(model)).abs().max() > 0.1


def test_outliers_keep_the_function_and_are_there(target):
    outlier = load("outlier")
    ids = torch.tensor([target.encode("Once upon a time there was a little fox named Ruby.")])
    assert (outlier.logits(ids) - target.logits(ids)).abs().max() <= 1e-4
    before, after = (
        target.model.model.layers[0].mlp.up_proj.weight,
        outlier.model.model.layers[0].mlp.up_proj.weight,
    )
    ratio = (after / before).nan_to_num(1.0).median(dim=0).values
    assert sorted(ratio.round().tolist())[-5:] == [1.0, 20.0, 20.0, 20.0, 20.0]


@pytest.mark.parametrize("factor", [20.0, 0.05])
def test_outliers_in_float64(factor):
    model = random_llama(dtype=torch.float64)
    other = with_outliers(model, channels=2, factor=factor, seed=5)
    assert (logits(other) - logits(model)).abs().max() <= 1e-11
    gains = other.model.layers[0].input_layernorm.weight / model.model.layers[0].input_layernorm.weight
    assert ((gains - 1 / factor).abs() < 1e-9).sum() == 2


@pytest.mark.parametrize(
    "make,words",
    [
        (lambda m: widen(m, 40), "hidden_size 40 is not a multiple of 32"),
        (lambda m: widen(m, 64, 2), "layers 2 < 3"),
        (lambda m: with_outliers(m, channels=33), "channels 33 is not between 1 and the width 32"),
        (lambda m: with_outliers(m, factor=0.0), "factor 0.0 is not positive"),
    ],
)
def test_impossible_bodies_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make(random_llama())
