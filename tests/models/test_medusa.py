"""The shipped Medusa heads: their manifest, what they know, and that they can be trained again."""

from __future__ import annotations

import hashlib
import json
import sys

import pytest
import torch
from safetensors.torch import load_file

from llmlab.models.loader import WEIGHTS
from llmlab.models.medusa import ColumnCache, load_heads
from llmlab.models.train import corpus, medusa
from llmlab.models.train.data import pack
from .conftest import random_llama

FOLDER = WEIGHTS / "medusa"


@pytest.fixture(scope="module")
def facts():
    return json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_heads_are_those_of_the_manifest_and_of_this_target(facts, text):
    assert facts["sha256"] == {"heads.safetensors": sha(FOLDER / "heads.safetensors")}
    assert facts["target_sha256"] == sha(WEIGHTS / "target" / "model.safetensors")
    assert facts["text"]["procedural_sha256"] == text.procedural_sha256
    stored = load_file(FOLDER / "heads.safetensors")["heads"]
    assert stored.dtype == torch.bfloat16 and stored.numel() == facts["parameters"]
    assert facts["steps"] == facts["planned_steps"] == medusa.HeadPlan.steps
    assert facts["cpu_seconds"] <= 360 and (FOLDER / "heads.safetensors").stat().st_size < 400_000


def test_the_heads_are_far_better_than_untrained_ones_and_worse_the_further_they_look(target, text):
    row = pack(target.tokenizer, [d for docs in text.validation.values() for d in docs[:4]])[:3000]
    heads = load_heads()
    trained = medusa.validation(target.model, heads, row)
    untrained = medusa.validation(target.model, torch.zeros_like(heads), row)
    assert trained == sorted(trained) and max(trained) < 4 < min(untrained)


def test_training_lowers_the_loss_of_every_head_and_leaves_the_model_alone():
    model, row = random_llama(), torch.arange(2000) % 50
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    plan = medusa.HeadPlan(heads=2, steps=60, batch=4, context=16, lr=0.1, warmup=5)
    heads, told = medusa.train(model, row, plan)
    assert heads.shape == (2, 32, 32) and all(last < first - 0.5 for first, last in zip(told[0], told[-1], strict=True))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_head_k_is_trained_on_the_token_k_plus_two_places_on():
    """Against the losses of zero heads, which say what the model says, counted by hand."""
    model, ids = random_llama(), torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    with torch.no_grad():
        said = model(ids[:, :4]).log_softmax(-1)[0]
    found = medusa.losses(model, torch.zeros(2, 32, 32), ids[:, :4], ids[:, 1:], graph=False)
    for k in range(2):
        want = -torch.stack([said[t, ids[0, t + 2 + k]] for t in range(4)]).mean()
        assert found[k].item() == pytest.approx(want.item(), abs=1e-5)


def test_the_command_writes_heads_and_their_manifest(tmp_path, monkeypatch):
    small = corpus.build(0.01, with_docstrings=False)
    monkeypatch.setattr(medusa.corpus, "build", lambda scale: small)
    monkeypatch.setattr(sys, "argv", ["medusa", "--steps", "2", "--out", str(tmp_path / "h")])
    medusa.main(out=tmp_path / "h", steps=2)
    facts = json.loads((tmp_path / "h" / "manifest.json").read_text())
    assert facts["steps"] == 2 and facts["command"] == "python -m llmlab.models.train.medusa --steps 2"
    assert facts["sha256"]["heads.safetensors"] == sha(tmp_path / "h" / "heads.safetensors")


def test_the_cache_keeps_what_it_is_told_and_nothing_else():
    cache, new = ColumnCache(2), torch.randn(1, 2, 5, 3)
    for layer in range(2):
        cache.append(layer, new, -new)
    cache.keep([0, 1, 4])
    keys, values = cache.append(1, new[:, :, :1], -new[:, :, :1])
    assert torch.equal(keys, new[:, :, [0, 1, 4, 0]]) and torch.equal(values, -keys) and cache.length(0) == 3
    for columns in ([3], [0, 0], [-1]):
        with pytest.raises(ValueError, match="cannot keep"):
            cache.keep(columns)
