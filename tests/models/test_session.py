"""Sessions: fed in any pieces, cut to any lengths, they give the logits of the whole text, each row alone."""

from __future__ import annotations

import dataclasses
import random

import pytest
import torch

from llmlab.models import Llama
from llmlab.models.session import Dice, Session

from .conftest import TINY, as_hf, random_llama


def alone(model: Llama, text: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([text]))[0]


@pytest.mark.parametrize("seed", range(4))
def test_a_random_walk_of_feeds_and_cuts_gives_what_each_row_gives_alone(seed):
    dice, model = random.Random(seed), random_llama(dtype=torch.float64)
    session, texts = Session(model, batch=3), [[], [], []]
    for _ in range(12):
        if dice.random() < 0.4 and all(texts):
            kept = [dice.randint(0, len(text)) for text in texts]
            session.truncate(kept)
            texts = [text[:n] for text, n in zip(texts, kept, strict=True)]
        rows = [[dice.randrange(97) for _ in range(dice.randint(1, 4))] for _ in texts]
        logits = session.feed(rows)
        texts = [text + row for text, row in zip(texts, rows, strict=True)]
        assert session.lengths() == [len(text) for text in texts]
        for b, (text, row) in enumerate(zip(texts, rows, strict=True)):
            want = alone(model, text)[len(text) - len(row) :]
            assert (logits[b, logits.shape[1] - len(row) :] - want).abs().max() < 1e-8


def test_one_sequence_leaves_no_holes():
    session = Session(random_llama())
    for _ in range(5):
        session.feed([[1, 2, 3, 4]])
        session.truncate([session.lengths()[0] - 3])
    assert session._cache.length == session.lengths()[0] == 5 and not session._cache.padded
    assert (session.passes, session.tokens) == (5, 20)


def test_an_early_exit_is_the_model_with_fewer_layers():
    """Layers 0 and 1 of three, then norm and head: transformers' own model with two layers says the same."""
    model = random_llama(dtype=torch.float64)
    cut = Llama(dataclasses.replace(TINY, num_hidden_layers=2)).to(torch.float64)
    cut.load_state_dict({key: value for key, value in model.state_dict().items() if ".layers.2." not in key})
    session = Session(model)
    for part, end in (([5, 6, 7], 3), ([8], 4)):
        x = session.embed([part])
        for index in (0, 1):
            x = session.layer(index, x)
        got = session.logits(x)
        with torch.no_grad():
            want = as_hf(cut)(torch.tensor([[5, 6, 7, 8][:end]])).logits
        assert (got - want[:, -len(part) :]).abs().max() < 1e-5


def test_what_does_not_fit_is_named():
    session = Session(random_llama(), batch=2)
    with pytest.raises(ValueError, match="2 sequences, got 1"):
        session.feed([[1]])
    with pytest.raises(ValueError, match=r"\[1, 0\]"):
        session.feed([[1], []])
    with pytest.raises(ValueError, match="0..96, got 1 to 97"):
        session.feed([[97], [1]])
    session.feed([[1, 2], [3]])
    with pytest.raises(ValueError, match=r"\[2, 1\] tokens to \[2, 2\]"):
        session.truncate([2, 2])
    with pytest.raises(ValueError, match="embed first"):
        session.layer(0, torch.zeros(2, 1, 32))
    with pytest.raises(ValueError, match="give 1 or more"):
        Session(random_llama(), batch=0)
    with pytest.raises(ValueError, match="needs a Llama"):
        Session(torch.nn.Linear(2, 2))


def test_dice_are_uniform_and_their_own():
    a, b = Dice(1).uniform(200, 50), Dice(1).uniform(200, 50)
    assert torch.equal(a, b) and a.dtype == torch.float64 and 0 <= a.min() and a.max() < 1
    assert abs(float(a.mean()) - 0.5) < 0.02 and not torch.equal(a, Dice(2).uniform(200, 50))
