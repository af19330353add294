"""The numeric keys of lab 1, computed again with Hugging Face and numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from llmlab import models
from llmlab.checks import answers as public
from tests.lab import labs


@pytest.fixture(scope="module")
def hidden():
    return labs.hidden("lab1")


@pytest.fixture(scope="module")
def keys():
    return labs.keys("lab1")


@torch.no_grad()
def row_after(hf, ids) -> np.ndarray:
    """Float64 logits of the next token, by Hugging Face's forward pass."""
    return hf[0](torch.tensor([list(ids)])).logits[0, -1].numpy()


@pytest.fixture(scope="module")
def z(hf, hidden):
    return row_after(hf, hf[1](hidden.PROMPT, add_special_tokens=False).input_ids)


def test_entropies(keys, z):
    assert keys["entropy-t1"].value == pytest.approx(entropy(softmax(z)), abs=1e-6)
    assert keys["entropy-t2"].value == pytest.approx(entropy(softmax(z / 2)), abs=1e-6)


def test_nucleus_size(keys, z):
    sums = np.sort(softmax(z))[::-1].cumsum()
    assert keys["nucleus-size"].value == np.searchsorted(sums, 0.9) + 1
    # In float32 a running sum over the vocabulary is off by 1e-6 or so.
    assert np.abs(sums - 0.9).min() > 1e-5, "float32 could decide where the nucleus ends; take another prompt"


def test_first_choice_by_the_librarys_own_processors(keys, z):
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    chain = LogitsProcessorList([TemperatureLogitsWarper(1.5), TopKLogitsWarper(20), TopPLogitsWarper(0.8)])
    wanted = chain(None, torch.tensor(z)[None]).softmax(-1).max().item()
    assert keys["first-choice"].value == pytest.approx(wanted, abs=1e-6)


@torch.no_grad()
def test_repeated_4grams_by_the_librarys_generate(keys, hf, hidden):
    model, tokenizer = hf
    ids = tokenizer(hidden.LOOP_PROMPT, add_special_tokens=False, return_tensors="pt").input_ids
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=hidden.LOOP_TOKENS,
                         do_sample=False, suppress_tokens=[model.config.eos_token_id], pad_token_id=0)
    out = out[0, ids.shape[1]:].tolist()
    assert len(out) == hidden.LOOP_TOKENS
    grams = [tuple(out[i:i + 4]) for i in range(len(out) - 3)]
    assert keys["repeated-4grams"].value == pytest.approx(1 - len(set(grams)) / len(grams))


@torch.no_grad()
def test_beam_gain_by_the_librarys_beam_search(keys, hf, hidden):
    model, tokenizer = hf

    def best(prompt, beams):
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=hidden.BEAM_TOKENS,
                             do_sample=False, num_beams=beams, eos_token_id=None, pad_token_id=0)[0]
        logp = log_softmax(model(out[None]).logits[0].numpy(), axis=-1)
        return sum(logp[i - 1, int(out[i])] for i in range(ids.shape[1], len(out)))

    gain = sum(best(prompt, 4) - best(prompt, 1) for prompt in hidden.BEAM_PROMPTS)
    assert keys["beam-gain"].value == pytest.approx(gain, abs=1e-6)
    assert gain > 0.1, "on these prompts four beams find nothing that greedy does not; take others"


def test_the_exponent_makes_the_scores_equal(keys):
    alpha = keys["flip-alpha"].value
    assert -3.2 / 3**alpha == pytest.approx(-5.1 / 7**alpha, rel=1e-12)


def test_multiplying_by_hand(keys):
    assert keys["multiplied"].value == pytest.approx(softmax([3.0, -2.0])[0])


def test_float32_and_rounding_stay_within_the_tolerance(keys, hidden):
    """What a student computes: the float32 model, torch's own operations, three decimals."""
    torch.set_num_threads(1)
    lm = models.load("target")
    logits = lm.next_logits(torch.tensor([lm.encode(hidden.PROMPT)]), None)[0]
    for name, t in (("entropy-t1", 1.0), ("entropy-t2", 2.0)):
        logp = (logits / t).log_softmax(-1)
        h = -(logp.exp() * logp).sum().item()
        assert abs(round(h, 3) - keys[name].value) < keys[name].tol
        assert abs(round(h, 2) - keys[name].value) < keys[name].tol  # two decimals are accepted too


@torch.no_grad()
def test_no_near_tie_decides_the_greedy_text(hf, hidden):
    """Float32 moves a logit by about 1e-5. Nearer than a hundred times that: take another prompt."""
    new = hidden.greedy_text(hidden.LOOP_PROMPT, hidden.LOOP_TOKENS, True)
    model, tokenizer = hf
    start = tokenizer(hidden.LOOP_PROMPT, add_special_tokens=False).input_ids
    logits = model(torch.tensor([start + new])).logits[0, len(start) - 1:-1]
    logits[:, model.config.eos_token_id] = -math.inf
    top = logits.topk(2).values
    assert logits.argmax(-1).tolist() == new
    assert (top[:, 0] - top[:, 1]).min() > 1e-3


def test_the_bounds_hold_for_any_model():
    assert math.log(public.VOCABULARY) < public.HIGHEST_ENTROPY < math.log(public.VOCABULARY) + 0.01
    assert models.load("target").vocab_size == public.VOCABULARY


def test_the_questions_are_those_of_the_keys(hidden):
    """The prompts, numbers and settings that the keys are computed with stand in the text."""
    text = "\n".join(cell.source for cell in labs.notebook("lab1").cells)
    assert f'PROMPT = "{hidden.PROMPT}"' in text
    assert "BEAM_PROMPTS = (" + ", ".join(f'"{prompt}"' for prompt in hidden.BEAM_PROMPTS) + ")" in text
    assert f'without_end, [lm.encode("{hidden.LOOP_PROMPT}")], max_new_tokens={hidden.LOOP_TOKENS}' in text
    assert f"max_new_tokens={hidden.BEAM_TOKENS}, length_penalty=0.0" in text
    for words in ("$T = 1.5$, then top-k with $k = 20$ and top-p with $p = 0.8$", "$T = 1$, $p = 0.9$",
                  "3 tokens and log-probability −3.2", "7 tokens and −5.1", "at $T = 2$, in nats",
                  "$z = (2, -2)$", "$\\theta = 1.5$"):
        assert words in text, words
