"""Models that several tests of this folder share."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from llmlab.models import LM, Llama, LlamaConfig, load
from llmlab.models.train import corpus

torch.set_num_threads(1)

TINY = LlamaConfig(
    vocab_size=97,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
)


def random_llama(config: LlamaConfig = TINY, dtype: torch.dtype = torch.float32, seed: int = 0) -> Llama:
    """A Llama with large random weights, so that every path through it matters."""
    torch.manual_seed(seed)
    model = Llama(config)
    for p in model.parameters():
        torch.nn.init.normal_(p, mean=1.0 if p.ndim == 1 else 0.0, std=0.2)
    return model.to(dtype).eval()


def as_hf(model: Llama):
    """The same weights in transformers' own LlamaForCausalLM."""
    from transformers import LlamaConfig as HFConfig
    from transformers import LlamaForCausalLM

    fields = dataclasses.asdict(model.config)
    fields["rope_parameters"] = {"rope_type": "default", "rope_theta": fields.pop("rope_theta")}
    hf = LlamaForCausalLM(HFConfig(**fields, attention_bias=False, mlp_bias=False))
    hf.load_state_dict(model.state_dict())
    return hf.to(next(model.parameters()).dtype).eval()


def left_padded(rows: list[list[int]], pad: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask of prompts of several lengths, pads on the left."""
    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


@pytest.fixture(scope="session")
def target() -> LM:
    return load("target")


@pytest.fixture(scope="session")
def draft() -> LM:
    return load("draft")


@pytest.fixture(scope="session")
def text() -> corpus.Corpus:
    """The whole procedural text (a few seconds)."""
    return corpus.build(with_docstrings=False)
