"""The text of lab 1, read as a notebook, and the hidden keys."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import jupytext
import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def notebook():
    """The notebook as its author wrote it, with the metadata that the release completes."""
    return jupytext.read(ROOT / "assignments" / "text" / "lab1.py", fmt="py:percent")


@pytest.fixture(scope="session")
def hidden():
    """The module `solutions/hidden/lab1_answers.py`."""
    file = ROOT / "solutions" / "hidden" / "lab1_answers.py"
    spec = importlib.util.spec_from_file_location("_lab1_answers", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def keys(hidden):
    torch.set_num_threads(1)
    return hidden.answers()


@pytest.fixture(scope="session")
def hf():
    """The shipped target in Hugging Face's own implementation, float64, and its tokenizer."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = ROOT / "llmlab" / "models" / "weights" / "target"
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
    return model, AutoTokenizer.from_pretrained(folder)
