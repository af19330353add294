"""The shipped model in another library, for the tests that compute a lab's numbers again."""

from __future__ import annotations

import os

import pytest
import torch

from tests.lab.labs import ROOT


@pytest.fixture(scope="session")
def hf():
    """The shipped target in Hugging Face's own implementation, float64, and its tokenizer."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = ROOT / "llmlab" / "models" / "weights" / "target"
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
    return model, AutoTokenizer.from_pretrained(folder)
