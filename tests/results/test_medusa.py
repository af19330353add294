"""Numbers of medusa.json, counted again along the greedy text, without any tree, and claims of the chapter about them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from llmlab.models import load
from llmlab.models.lean import Decoder
from llmlab.models.medusa import load_heads
from llmlab.models.train.medusa import stream

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = (
    "Once upon a time there was a little girl named", "One sunny Monday, a small fox", "Song of the frog",
    "47 + 38\n", "English: The cat", '{"name": "', "Shopping list of Anna:", "Count: 5, 10, 15,", "Return the",
)  # fmt: skip


@pytest.fixture(scope="module")
def values() -> dict:
    return json.loads((ROOT / "results" / "medusa.json").read_text(encoding="utf-8"))["values"]


@pytest.fixture(scope="module")
@torch.no_grad()
def seen(values) -> list[tuple[torch.Tensor, int, torch.Tensor, torch.Tensor]]:
    """For each prompt: greedy text, length of the prompt, logits of the target (T, V) and of the heads (3, T, V)."""
    torch.set_num_threads(1)
    lm, heads, found = load("target"), load_heads(), []
    decoder = Decoder(lm)
    for prompt in PROMPTS:
        ids = torch.tensor([[lm.bos_id, *lm.encode(prompt)]])
        text = torch.cat([ids, decoder.generate(ids, values["new"])], 1)
        x = stream(lm.model, text)
        out = [lm.model.lm_head(lm.model.model.norm(y))[0].detach() for y in (x, *(x + F.silu(x @ w.T) for w in heads))]
        found.append((text[0], ids.shape[1], out[0], torch.stack(out[1:])))
    return found


def test_heads_hit_as_often(values, seen):
    assert values["prompts"] == len(seen)
    for k in range(3):
        for top in (1, 4):
            hits = [bool((said[k, t].topk(top).indices == text[t + 2 + k]).any())
                    for text, begin, _, said in seen for t in range(begin - 1, len(text) - 2 - k)]
            assert sum(hits) / len(hits) == pytest.approx(values[f"head{k + 1}_top{top}"], abs=0.01)


@pytest.mark.parametrize("name", ["chain", "medium", "wide"])
def test_tokens_per_pass_along_the_text(values, seen, name):
    """The last pass of a text may look beyond its end, which is not known here: hence the tolerance."""
    tops, given, passes = [int(t) for t in values[f"{name}_tops"].split("·")], 0, 0
    for text, begin, _, said in seen:
        at = begin
        while at < len(text) - 1:
            size = 1
            for k, top in enumerate(tops):
                if at + 1 + k >= len(text) or not bool((said[k, at - 1].topk(top).indices == text[at + 1 + k]).any()):
                    break
                size += 1
            at, given, passes = at + size, given + size, passes + 1
    assert given / passes == pytest.approx(values[f"{name}_tokens_per_pass"], rel=0.03)
    assert values[f"{name}_same"] == values["prompts"]


def test_the_distance_of_typical_acceptance(values, seen):
    far, taken = [], []
    for text, begin, logits, said in seen:
        p, q = logits.double().softmax(-1)[begin:], said[0].double().softmax(-1)[begin - 1 : -1]
        assert len(p) == values["new"] == len(text) - begin
        least = (values["typical_delta"] * torch.exp(-torch.special.entr(p).sum(-1))).clamp(max=values["typical_epsilon"])
        goes = p > least[:, None]
        stays = q * goes
        out = stays + (1 - stays.sum(-1, keepdim=True)) * p
        far.append((out - p).abs().sum(-1) / 2)
        taken.append(stays.sum(-1))
    far, taken = torch.cat(far), torch.cat(taken)
    assert len(far) == values["typical_contexts"]
    assert far.mean().item() == pytest.approx(values["typical_tv_mean"], abs=0.002)
    assert far.max().item() == pytest.approx(values["typical_tv_max"], abs=0.01)
    assert taken.mean().item() == pytest.approx(values["typical_accepted"], abs=0.005)


def test_what_the_chapter_says_of_the_speeds(values):
    """Float32 gains less than bfloat16, both gain less than tokens per pass; in bfloat16 the texts differ."""
    assert 1 < values["wide32_medium_speed"] < values["wide16_medium_speed"] < values["medium_tokens_per_pass"]
    assert values["wide32_medium_same"] == 1 and values["wide16_medium_same"] == 0
    assert values["typical_accepted"] < values["exact_accepted"]
