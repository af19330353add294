"""Lab 5's numeric keys, computed again: by the solution's own loops, by Hugging Face's models, and by drawing."""

from __future__ import annotations

import os
import types

import numpy as np
import pytest
import torch

from llmlab import models
from llmlab.grading import variants
from llmlab.models.medusa import ColumnCache, load_heads
from llmlab.models.parts import Parts
from llmlab.models.session import Dice, Session
from tests.lab import labs


def solved(module: str) -> types.ModuleType:
    found = types.ModuleType(f"solved_{module}")
    exec(compile(variants.solution(module), f"{module}.py", "exec"), found.__dict__)
    return found


speculative, medusa = solved("speculative"), solved("medusa")


@pytest.fixture(scope="module")
def keys():
    return {name: key.value for name, key in labs.keys("lab5").items()}


@pytest.fixture(scope="module")
def laws(hf):
    """Logits (48, V) of both shipped models after every token of the text, from Hugging Face's implementation."""
    from transformers import AutoModelForCausalLM

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    draft = AutoModelForCausalLM.from_pretrained(labs.ROOT / "llmlab" / "models" / "weights" / "draft", dtype=torch.float64)
    ids = hf[1](labs.hidden("lab5").TEXT, add_special_tokens=False, return_tensors="pt").input_ids
    with torch.no_grad():
        return hf[0](ids).logits[0], draft.eval()(ids).logits[0]


def prompt(lm) -> list[int]:
    return lm.encode(labs.hidden("lab5").PROMPT)


def test_the_lectures_rule_drawn_a_million_times(keys):
    """Known to 0.002 by drawing: `equal-rule-tv` itself, and that the other rules of the key would not pass."""
    p, q, n = np.array([0.5, 0.3, 0.15, 0.05]), np.array([0.2, 0.5, 0.1, 0.2]), 1_000_000
    rng = np.random.default_rng(5)
    drafted, own, other = (rng.choice(4, n, p=law) for law in (q, p, np.maximum(p - q, 0) / np.maximum(p - q, 0).sum()))
    written = np.bincount(np.where(drafted == own, drafted, other), minlength=4) / n
    assert abs(np.abs(written - p).sum() / 2 - keys["equal-rule-tv"]) < 0.004


def test_rates_and_typical_acceptance_on_hugging_faces_logits(keys, laws):
    p, q = (law.div(0.7).softmax(-1) for law in laws)
    assert keys["mean-alpha"] == pytest.approx(float(1 - (p - q).abs().sum(-1).mean() / 2), abs=1e-6)
    p, q = (law.softmax(-1) for law in laws)
    written = torch.stack([medusa.typical_output(a, b, 0.09, 0.3) for a, b in zip(p, q, strict=True)])
    assert keys["typical-tv"] == pytest.approx(float((written - p).abs().sum(-1).mean() / 2), abs=1e-6)


def test_the_tokens_of_a_pass_thrown_out(keys):
    """`tokens-at-six` by coins; the other two by the solution's functions, one of them backwards."""
    coins = np.random.default_rng(6).random((1_000_000, 6)) < 0.75
    assert keys["tokens-at-six"] == pytest.approx(1 + coins.cumprod(1).sum(1).mean(), abs=0.01)
    assert keys["tokens-at-six"] == pytest.approx(speculative.expected_tokens(0.75, 6))
    assert speculative.speedup(keys["break-even-alpha"], 4, 0.25) == pytest.approx(1)
    assert keys["busy-speedup"] == pytest.approx(speculative.speedup(0.8, 4, 0.1, verify_cost=3.6))


def test_passes_are_those_of_the_loops_in_float32(keys):
    lm = models.load("target")
    target, ids = Session(lm), prompt(lm)
    speculative.generate(target, speculative.LookupDraft(2, 2048), [ids], 80, 5, Dice(0), temperature=0.0)
    assert keys["lookup-passes"] == target.passes
    new, sizes = medusa.generate(Parts(lm), ColumnCache(4), load_heads(), torch.tensor(ids), 61, (4, 2, 1))
    assert keys["medusa-passes"] == len(sizes) and len(new) == 61


def test_no_choice_of_the_texts_is_close():
    """Rounding cannot change the two counts: the greedy text, and which tokens the heads have among their first."""
    text, start, x = labs.hidden("lab5").greedy()
    model, heads = Parts("target", torch.float64), load_heads(torch.float64)
    best = model.logits(x[None])[0, start - 1:].topk(2).values
    assert (best[:, 0] - best[:, 1]).min() > 0.005
    said = medusa.head_logits(model, heads, x[None])
    for head, top in enumerate((4, 2, 1)):
        for root in range(start, start + 60):
            row, token = said[head, root - 1], text[root + 1 + head]
            rival = torch.cat([row[:token], row[token + 1:]]).topk(top).values[-1]
            assert abs(float(row[token] - rival)) > 1e-3, (head, root)
