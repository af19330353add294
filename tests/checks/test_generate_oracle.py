"""The check of generate: its oracle and the solution against Hugging Face's `generate` and `StopStringCriteria`."""

import types

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.generation.stopping_criteria import StopStringCriteria

from llmlab import models
from llmlab._finder import PACKAGE
from llmlab.checks.decoding import loop_rules
from llmlab.checks.decoding.loop_rules import Loop, reference
from llmlab.checks.protocol import Model
from llmlab.grading import variants

VOCAB, EOS, PAD = 40, 7, 0
DRAFT = PACKAGE / "models" / "weights" / "draft"
MARGIN = 1e-9
"""Two ways to compute the same float64 logits differ by about 1e-13; tokens are compared where the best leads by more."""


def leads(logits: torch.Tensor) -> float:
    """By how much the best logit of a row leads, at least."""
    best = logits.topk(2).values
    return float((best[:, 0] - best[:, 1]).min())


def hugging_face(llama, prompts: list[list[int]], most: int, eos: int, pad: int) -> list[list[int]]:
    """New tokens of HF's greedy `generate` on a left-padded batch, each cut behind its first EOS."""
    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    out = llama.generate(ids, attention_mask=mask, max_new_tokens=most, do_sample=False, eos_token_id=eos, pad_token_id=pad)
    rows = out[:, width:].tolist()
    return [row[:row.index(eos) + 1] if eos in row else row for row in rows]


@pytest.fixture(scope="module")
def solution():
    module = types.ModuleType("solved_decoding")
    exec(compile(variants.solution("decoding"), "decoding.py", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_oracle_equals_hugging_face_with_left_padding(seed):
    torch.manual_seed(seed)
    llama = LlamaForCausalLM(LlamaConfig(
        vocab_size=VOCAB, hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, initializer_range=0.5, bos_token_id=None, eos_token_id=EOS, pad_token_id=PAD)).double().eval()

    @torch.inference_mode()
    def answer(ids, attention_mask):
        logits = llama(ids, attention_mask=attention_mask).logits[:, -1]
        assert leads(logits) > MARGIN
        return logits

    lengths = torch.randint(1, 9, (12,)).tolist()
    prompts = [torch.randint(VOCAB, (n,)).tolist() for n in lengths]
    rows = reference(Loop(Model(answer, VOCAB), prompts, 12, EOS, PAD))
    assert [new for new, _ in rows] == hugging_face(llama, prompts, 12, EOS, PAD)
    assert all((why == "eos") == (new[-1] == EOS) and (why == "eos" or len(new) == 12) for new, why in rows)
    assert len({len(prompt) for prompt in prompts}) > 3


def test_the_solution_equals_hugging_face_on_the_shipped_weights(solution):
    lm = models.load("draft", dtype=torch.float64)
    texts = ["Once upon a time", "Count: 5, 10, 15,", "12 + 30 =", "A", "The red fox went to the market and"]
    prompts = [lm.encode(text) for text in texts]
    gaps = []

    def model(ids, attention_mask):
        logits = lm.next_logits(ids, attention_mask)
        gaps.append(leads(logits[attention_mask[:, -1] == 1]))
        return logits

    with torch.inference_mode():
        rows = solution.generate(model, prompts, max_new_tokens=24, eos_id=lm.eos_id, pad_id=lm.pad_id)
        llama = AutoModelForCausalLM.from_pretrained(DRAFT, dtype=torch.float64).eval()
        theirs = hugging_face(llama, prompts, 24, lm.eos_id, lm.pad_id)
    assert min(gaps) > MARGIN
    assert [new for new, _ in rows] == theirs


def test_stop_strings_equal_hugging_faces_criteria():
    """At which token a stop string is first complete, over texts cut into tokens at random places."""
    lm = models.load("draft")
    tokenizer = AutoTokenizer.from_pretrained(DRAFT)
    generator = torch.Generator().manual_seed(5)
    source = "she said: stop it. then the end.\n\nthe end of the day, the cat sat; and then stopped. "
    several = found_once = 0
    for words in (("the end",), ("stop", "cat s"), ("\n\n",), ("then the", "y, t")):
        criteria = StopStringCriteria(tokenizer, list(words))
        for _ in range(30):
            start = int(torch.randint(len(source), (), generator=generator))
            text, tokens = (source[start:] + source)[:60], []
            while text:
                size = int(torch.randint(1, 7, (), generator=generator))
                tokens += lm.encode(text[:size])
                text = text[size:]
            run = Loop(None, [[]], 99, stop=words, pieces=lm.pieces)
            ours = next((n for n in range(1, len(tokens) + 1) if loop_rules.found(run, [], tokens[:n])), None)
            theirs = next((n for n in range(1, len(tokens) + 1) if bool(criteria(torch.tensor([tokens[:n]]), None)[0])), None)
            assert ours == theirs, (words, [lm.pieces[token] for token in tokens])
            found_once += ours is not None
            several += ours is not None and not any(word.encode() in lm.pieces[tokens[ours - 1]] for word in words)
    assert found_once > 60 and several > 30, "the texts should hold stop strings spread over tokens"
