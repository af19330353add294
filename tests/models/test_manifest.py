"""The manifests against reality: hashes, sizes, and losses computed again."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter

import pytest
import torch
from safetensors import safe_open

from llmlab.models import load
from llmlab.models.loader import WEIGHTS
from llmlab.models.train.data import mean_loss, pack
from llmlab.models.train.shapes import PLANS

NAMES = ["target", "draft"]
KINDS = ["arithmetic", "counting", "pairs", "recall", "records", "songs", "stories"]


def manifest(name):
    return json.loads((WEIGHTS / name / "manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_files_have_the_hashes_of_the_manifest(name):
    for file, sha in manifest(name)["sha256"].items():
        assert hashlib.sha256((WEIGHTS / name / file).read_bytes()).hexdigest() == sha, file


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_bf16_and_as_many_as_stated(name):
    with safe_open(WEIGHTS / name / "model.safetensors", "pt") as file:
        tensors = [file.get_tensor(key) for key in file.keys()]  # noqa: SIM118 - not a dict
    assert {t.dtype for t in tensors} == {torch.bfloat16}
    assert sum(t.numel() for t in tensors) == manifest(name)["parameters"]
    assert load(name).config == PLANS[name].config


@pytest.mark.parametrize("name", NAMES)
def test_the_run_was_finished(name):
    facts = manifest(name)
    assert facts["steps"] == facts["planned_steps"] == PLANS[name].last
    assert facts["tokens"] == facts["steps"] * facts["batch"] * facts["context"]
    assert {"python", "torch", "tokenizers"} <= set(facts["versions"]) and facts["command"].startswith(
        "python -m llmlab"
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_text_is_the_text_of_this_generator(name, text):
    facts = manifest(name)["text"]
    assert facts["procedural_sha256"] == text.procedural_sha256
    assert len(facts["docstrings_sha256"]) == 64 and facts["bytes"]["docstrings"] > 1_000_000
    for kind in KINDS:
        assert facts["bytes"][kind] == text.bytes_of("train")[kind]
        assert facts["documents"][kind] == len(text.train[kind])


@pytest.mark.parametrize("name", NAMES)
def test_validation_losses_come_out_again(name, text):
    """On every procedural kind; 0.005 nats for the rounding of the weights to bf16."""
    lm, stated = load(name), manifest(name)["loss"]
    checked = 0
    for kind in ("arithmetic", "pairs", "songs", "counting"):
        row = pack(lm.tokenizer, text.validation[kind])
        if len(row) > 256:
            assert mean_loss(lm.model, row) == pytest.approx(stated[f"validation_{kind}"], abs=0.005), kind
            checked += 1
    assert checked == 4


def baselines(train: list[int], valid: list[int], size: int) -> tuple[float, float]:
    """Unigram and bigram losses in nats per token; the bigram backs off to the unigram, weight 1/(n+1)."""
    ones, twos = Counter(train), Counter(zip(train, train[1:], strict=False))
    first = Counter(train[:-1])
    unigram = {t: (ones[t] + 1) / (len(train) + size) for t in range(size)}
    one = two = 0.0
    for a, b in zip(valid, valid[1:], strict=False):
        one -= math.log(unigram[b])
        two -= math.log((twos[a, b] + unigram[b]) / (first[a] + 1))
    return one / (len(valid) - 1), two / (len(valid) - 1)


def test_both_models_beat_unigram_and_bigram(text, target, draft):
    train = pack(target.tokenizer, [d for docs in text.train.values() for d in docs[::5]]).tolist()
    row = pack(target.tokenizer, [d for docs in text.validation.values() for d in docs[:6]])
    unigram, bigram = baselines(train, row.tolist(), target.vocab_size)
    small, large = mean_loss(draft.model, row), mean_loss(target.model, row)
    assert large < small < bigram < unigram
    assert large < bigram - 0.8


def test_the_licence_of_the_text_ships_with_the_weights():
    for name in NAMES:
        notice = (WEIGHTS / name / "LICENSE-text.md").read_text(encoding="utf-8")
        assert "Python Software Foundation" in notice
        assert notice == (WEIGHTS / "LICENSE-text.md").read_text(encoding="utf-8")
