"""The fast decoder is the lean Llama, and Hugging Face's: every step, padding, truncation, growth, dtypes."""

from __future__ import annotations

import pytest
import torch

from llmlab.models import load
from llmlab.models.lean import Decoder

from .conftest import as_hf, left_padded, random_llama

IDS = torch.randint(1, 97, (3, 12), generator=torch.Generator().manual_seed(4))


@torch.no_grad()
def decoded(model, ids, start, mask=None):
    """Logits after column start - 1 and each later one, decoded one by one."""
    decoder, cache = Decoder(model), model.new_cache(len(ids))
    rows = [decoder.prefill(ids[:, :start], cache, None if mask is None else mask[:, :start])]
    rows += [decoder.step(ids[:, i], cache) for i in range(start, ids.shape[1])]
    assert cache.length == ids.shape[1]
    return torch.stack(rows, 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_step_is_that_of_the_whole_pass(dtype):
    model = random_llama(dtype=dtype)
    with torch.no_grad():
        whole = model(IDS)[:, 3:]
        theirs = as_hf(model)(IDS).logits[:, 3:]
    got = decoded(model, IDS, 4)
    assert (got - whole).abs().max() <= 1e-4 and (got - theirs).abs().max() <= 1e-4


def test_left_padding_changes_nothing():
    model = random_llama()
    ids, mask = left_padded([row[: 12 - 4 * i].tolist() for i, row in enumerate(IDS)])
    with torch.no_grad():
        whole = model(ids, mask)[:, 9:]
    assert (decoded(model, ids, 10, mask) - whole).abs().max() <= 1e-4


@torch.no_grad()
def test_after_a_truncation_and_beyond_the_first_room():
    model = random_llama()
    decoder, cache = Decoder(model), model.new_cache(1)
    ids = torch.randint(1, 97, (1, 90), generator=torch.Generator().manual_seed(6))
    decoder.prefill(ids[:, :40], cache)
    for token in (5, 6, 7):
        decoder.step(torch.tensor([token]), cache)
    cache.truncate(41)
    ids[0, 40] = 5
    rows = [decoder.step(ids[:, i], cache) for i in range(41, 90)]  # 64 columns are reserved at first
    assert (torch.stack(rows, 1) - model(ids)[:, 41:]).abs().max() <= 1e-4


@pytest.mark.parametrize("name", ["target", "draft", "wide", "outlier"])
def test_the_shipped_models_write_the_same_text(name):
    lm = load(name)
    ids = torch.tensor([lm.encode("Once upon a time there was a")])
    cache, step, plain = lm.new_cache(1), ids, []
    for _ in range(12):
        step = lm.logits(step, cache=cache)[:, -1:].argmax(-1)
        plain.append(int(step))
    assert Decoder(lm).generate(ids, 12)[0].tolist() == plain
