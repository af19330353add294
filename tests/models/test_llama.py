"""The lean forward against transformers' LlamaForCausalLM on the same weights."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from llmlab.models import load
from llmlab.models.loader import WEIGHTS

from .conftest import TINY, as_hf, left_padded, random_llama

PROMPTS = [
    "Once upon a time there was",
    "47 + 38",
    "English: The cat",
    '{"name": "Tom", "age": 4',
    "Pairs: cat = red, ",
]
SHAPES = {
    "grouped": TINY,
    "one kv head": dataclasses.replace(TINY, num_key_value_heads=1),
    "no sharing": dataclasses.replace(TINY, num_key_value_heads=4),
    "untied": dataclasses.replace(TINY, tie_word_embeddings=False),
    "wide heads": dataclasses.replace(TINY, head_dim=16),
    "other constants": dataclasses.replace(TINY, rope_theta=500_000.0, rms_norm_eps=1e-3),
}


def hf_logits(hf, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    positions = None if mask is None else (mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        return hf(input_ids=ids, attention_mask=mask, position_ids=positions).logits


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 5e-6)])
def test_random_weights_give_the_logits_of_transformers(shape, dtype, tolerance):
    """float64: what is left is transformers' RMSNorm, which goes down to float32."""
    model = random_llama(SHAPES[shape], dtype)
    hf = as_hf(model)
    ids = torch.randint(97, (3, 40), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = model(ids)
    assert ours.shape == (3, 40, 97) and ours.dtype == dtype
    assert ours.std() > 0.5, "logits too flat to compare anything"
    assert (ours - hf_logits(hf, ids)).abs().max() <= tolerance


@pytest.mark.parametrize("dtype,tolerance", [(torch.float32, 1e-4), (torch.float64, 5e-6)])
def test_left_padding_gives_the_logits_of_transformers_at_every_real_token(dtype, tolerance):
    model = random_llama(dtype=dtype)
    hf = as_hf(model)
    generator = torch.Generator().manual_seed(2)
    rows = [torch.randint(1, 97, (n,), generator=generator).tolist() for n in (17, 1, 9, 16)]
    ids, mask = left_padded(rows)
    with torch.no_grad():
        ours = model(ids, mask)
    assert torch.isfinite(ours).all(), "a padded position must not be NaN: its value reaches other layers"
    real = mask.bool()
    assert (ours - hf_logits(hf, ids, mask))[real].abs().max() <= tolerance
    for row, out in zip(rows, ours, strict=True):  # and those of the prompt alone
        alone = hf_logits(hf, torch.tensor([row]))[0]
        assert (out[-len(row) :] - alone).abs().max() <= tolerance


@pytest.mark.parametrize("name", ["target", "draft"])
def test_shipped_weights_give_the_logits_of_transformers(name):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    lm = load(name)
    hf = AutoModelForCausalLM.from_pretrained(
        WEIGHTS / name, dtype=torch.float32, local_files_only=True
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS / name, local_files_only=True)
    rows = [lm.encode(p) for p in PROMPTS]
    assert rows == [tokenizer(p)["input_ids"] for p in PROMPTS]
    ids, mask = left_padded(rows, lm.pad_id)
    theirs = hf_logits(hf, ids, mask)
    assert (lm.logits(ids, mask) - theirs)[mask.bool()].abs().max() <= 1e-4
    assert (lm.next_logits(ids, mask) - theirs[:, -1]).abs().max() <= 1e-4
    assert (lm.bos_id, lm.eos_id, lm.pad_id) == (
        tokenizer.bos_token_id,
        tokenizer.eos_token_id,
        tokenizer.pad_token_id,
    )
    assert sum(p.numel() for p in lm.model.parameters()) == hf.num_parameters()


def test_greedy_continuations_are_those_of_transformers_generate(target):
    """Tokens are compared as long as the best two logits are more than 1e-3 apart."""
    from transformers import AutoModelForCausalLM

    hf = AutoModelForCausalLM.from_pretrained(
        WEIGHTS / "target", dtype=torch.float32, local_files_only=True
    ).eval()
    for prompt in PROMPTS:
        ids = target.encode(prompt)
        out = hf.generate(torch.tensor([ids]), max_new_tokens=20, do_sample=False, pad_token_id=0)[0].tolist()
        for end in range(len(ids), len(out)):
            best = target.next_logits(torch.tensor([out[:end]]))[0].topk(2)
            if best.values[0] - best.values[1] > 1e-3:
                assert best.indices[0] == out[end]


def test_a_finished_row_fed_masked_pads_disturbs_nobody():
    """The generate loop feeds pads with mask 0 on the right of finished rows."""
    model = random_llama()
    ids = torch.randint(1, 97, (2, 8), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    with torch.no_grad():
        both, alone = model(ids, mask), model(ids[:1])
    assert torch.isfinite(both).all()
    assert (both[0] - alone[0]).abs().max() <= 1e-5


def test_half_precision_stays_half(target):
    lm = load("target", torch.bfloat16)
    ids = torch.tensor([lm.encode(PROMPTS[0])])
    logits = lm.next_logits(ids)
    assert logits.dtype == torch.bfloat16
    wide, narrow = target.next_logits(ids).softmax(-1), logits.float().softmax(-1)
    assert (wide - narrow).abs().sum() / 2 < 0.1, "total variation distance"
