"""Decoding with the key-value cache equals computing the whole sequence again."""

from __future__ import annotations

import pytest
import torch

from llmlab.models import load

from .conftest import as_hf, left_padded, random_llama


def whole(model, ids, mask=None):
    with torch.no_grad():
        return model(ids, mask)


def in_parts(model, ids, cuts, mask=None):
    cache, parts = model.new_cache(len(ids)), []
    with torch.no_grad():
        for begin, end in zip([0, *cuts], [*cuts, ids.shape[1]], strict=True):
            parts.append(model(ids[:, begin:end], None if mask is None else mask[:, begin:end], cache))
            assert cache.length == end
    return torch.cat(parts, dim=1)


@pytest.fixture(scope="module")
def model():
    return random_llama()


IDS = torch.randint(1, 97, (3, 12), generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("split", range(1, 12))
def test_every_split_in_two(model, split):
    assert (in_parts(model, IDS, [split]) - whole(model, IDS)).abs().max() <= 1e-5


@pytest.mark.parametrize("split", range(1, 12))
def test_every_split_in_two_with_left_padding(model, split):
    ids, mask = left_padded([row[: 12 - 4 * i].tolist() for i, row in enumerate(IDS)])
    difference = in_parts(model, ids, [split], mask) - whole(model, ids, mask)
    assert difference[mask.bool()].abs().max() <= 1e-5


def test_token_by_token(model):
    assert (in_parts(model, IDS, list(range(1, 12))) - whole(model, IDS)).abs().max() <= 1e-5


def test_uneven_parts_and_a_cache_that_must_grow(model):
    ids = torch.randint(1, 97, (2, 200), generator=torch.Generator().manual_seed(5))
    assert (in_parts(model, ids, [3, 60, 64, 65, 66, 130]) - whole(model, ids)).abs().max() <= 1e-4


def test_against_the_cache_of_transformers(model):
    hf = as_hf(model)
    with torch.no_grad():
        first = hf(input_ids=IDS[:, :5], use_cache=True)
        second = hf(input_ids=IDS[:, 5:], past_key_values=first.past_key_values)
    assert (in_parts(model, IDS, [5])[:, 5:] - second.logits).abs().max() <= 1e-4


def test_truncate_forgets_exactly_the_end(model):
    cache = model.new_cache(3)
    other = torch.full((3, 4), 7)
    with torch.no_grad():
        model(IDS[:, :6], None, cache)
        model(other, None, cache)  # rejected
        cache.truncate(6)
        again = model(IDS[:, 6:], None, cache)
    assert cache.length == 12
    assert (again - whole(model, IDS)[:, 6:]).abs().max() <= 1e-5


@pytest.mark.parametrize("length", [-1, 13])
def test_truncate_names_a_length_that_is_not_there(model, length):
    cache = model.new_cache(3)
    with torch.no_grad():
        model(IDS, None, cache)
    with pytest.raises(ValueError, match=f"12 columns to {length}"):
        cache.truncate(length)


@pytest.mark.parametrize("name", ["target", "draft", "wide", "outlier"])
def test_shipped_models_decode_with_a_cache(name):
    lm = load(name)
    ids = torch.tensor([lm.encode("Once upon a time there was a little girl named Mira.")])
    cache = lm.new_cache(1)
    parts = [lm.logits(ids[:, :4], cache=cache)] + [
        lm.logits(ids[:, i : i + 1], cache=cache) for i in range(4, ids.shape[1])
    ]
    assert (torch.cat(parts, dim=1) - lm.logits(ids)).abs().max() <= 1e-4
