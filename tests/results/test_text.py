"""results/sampling.json and results/search.json: what is cheap of them, computed again with Hugging Face and numpy.

Texts that are drawn are not drawn again; of these the tests ask only what must hold for any seed.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import special
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks import inputs
from llmlab.models.loader import WEIGHTS

ROOT = Path(__file__).resolve().parents[2]
SAMPLING, SEARCH = (json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))["values"]
                    for name in ("sampling", "search"))


@pytest.fixture(scope="module")
def lm() -> SimpleNamespace:
    """The shipped weights under Hugging Face, with the function that the inputs ask for."""
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS / "target")
    model = AutoModelForCausalLM.from_pretrained(WEIGHTS / "target", dtype=torch.float32).eval()
    return SimpleNamespace(
        model=model, tokenizer=tokenizer, bos_id=model.config.bos_token_id, eos_id=model.config.eos_token_id,
        encode=lambda text: tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.fixture(scope="module")
def texts(lm: SimpleNamespace) -> list[list[int]]:
    return inputs.stories(lm)


def repeats(rows: list[list[int]]) -> float:
    """Mean over the rows of the share of 4-grams that came before, counted one by one."""
    shares = []
    for row in rows:
        seen = Counter(tuple(row[i:i + 4]) for i in range(len(row) - 3))
        shares.append(sum(n - 1 for n in seen.values()) / seen.total())
    return float(np.mean(shares))


def costs(lm: SimpleNamespace, rows: list[list[int]], banned: list[int]) -> np.ndarray:
    """-log p of every token but the first START of each row (rows of one length), tokens `banned` removed."""
    ids = torch.tensor(rows)
    with torch.inference_mode():
        logits = lm.model(ids).logits[:, :-1].double().numpy()
    logits[..., banned] = -np.inf
    logp = special.log_softmax(logits, axis=-1)
    return -np.take_along_axis(logp, ids.numpy()[:, 1:, None], axis=-1)[:, inputs.START - 1:, 0]


def continued(lm: SimpleNamespace, texts: list[list[int]], **options: object) -> tuple[float, float]:
    """Repetition and nats a token of Hugging Face's greedy text, end of text forbidden."""
    prompts = torch.tensor([ids[:inputs.START] for ids in texts])
    with torch.inference_mode():
        out = lm.model.generate(prompts, attention_mask=torch.ones_like(prompts), do_sample=False, pad_token_id=0,
                                max_new_tokens=inputs.TOKENS, suppress_tokens=[lm.eos_id], **options)
    rows = out.tolist()
    return repeats([row[inputs.START:] for row in rows]), float(costs(lm, rows, [lm.eos_id]).mean())


def test_the_text_is_the_one_that_was_measured(texts: list[list[int]]) -> None:
    assert len(texts) == SAMPLING["prompts"] == SEARCH["prompts"]
    assert inputs.TOKENS == SAMPLING["tokens"] == SEARCH["tokens"]
    assert len({tuple(ids[:inputs.START]) for ids in texts}) == len(texts)


def test_real_stories(lm: SimpleNamespace, texts: list[list[int]]) -> None:
    nats = np.concatenate([costs(lm, [ids], [])[0] for ids in texts])
    assert nats.mean() == pytest.approx(SAMPLING["nats_real"], abs=1e-3)
    joined = [token for ids in texts for token in ids]
    whole = len(joined) // inputs.TOKENS
    assert repeats(np.array(joined[:whole * inputs.TOKENS]).reshape(whole, -1).tolist()) == pytest.approx(
        SAMPLING["repeat_real"], abs=1e-9)


def test_size_of_the_nucleus(lm: SimpleNamespace, texts: list[list[int]]) -> None:
    sizes = []
    for ids in texts:
        with torch.inference_mode():
            p = lm.model(torch.tensor([ids])).logits[0, :-1].double().softmax(-1).numpy()
        mass = np.cumsum(-np.sort(-p, axis=-1), axis=-1)
        sizes += (1 + (mass < 0.9).sum(-1)).tolist()
    assert np.median(sizes) == SAMPLING["nucleus_median"]
    assert np.percentile(sizes, 90) == pytest.approx(SAMPLING["nucleus_p90"], abs=1.5)


@pytest.mark.parametrize(("key", "options"), [
    ("nothing", {}), ("repetition", {"repetition_penalty": 1.3}), ("ngram", {"no_repeat_ngram_size": 4})])
def test_greedy_text_under_hugging_face(lm: SimpleNamespace, texts: list[list[int]], key: str, options: dict) -> None:
    """One text of 24 may take another turn where two tokens are nearly equal."""
    repeat, nats = continued(lm, texts, **options)
    assert repeat == pytest.approx(SEARCH[f"repeat_{key}"], abs=0.04)
    assert nats == pytest.approx(SEARCH[f"nats_{key}"], abs=0.05)


def test_greedy_is_the_same_in_both_files() -> None:
    for figure in ("repeat", "nats"):
        assert SAMPLING[f"{figure}_greedy"] == pytest.approx(SEARCH[f"{figure}_nothing"], abs=1e-9)


def test_what_the_chapters_say_of_the_figures() -> None:
    """The sentences around the tables: if one of these fails, the prose must change too."""
    assert SAMPLING["repeat_greedy"] > 2 * max(SAMPLING["repeat_real"], SAMPLING["repeat_t10"])
    assert SAMPLING["nats_greedy"] < SAMPLING["nats_real"] < SAMPLING["nats_t10"] < SAMPLING["nats_t15"]
    assert all(SAMPLING[f"nats_{cut}"] < SAMPLING["nats_t10"] for cut in ("k20", "p09", "m01", "all"))
    assert SEARCH["nats_beam16"] < SEARCH["nats_beam4"] < SEARCH["nats_beam1"] < SAMPLING["nats_real"]
    assert SEARCH["sums_ngram"] == 0 < SEARCH["sums_repetition"] < SEARCH["sums_nothing"]


@pytest.mark.parametrize(("key", "options"), [
    ("nothing", {}), ("repetition", {"repetition_penalty": 1.3}), ("ngram", {"no_repeat_ngram_size": 4})])
def test_sums_under_hugging_face(lm: SimpleNamespace, key: str, options: dict) -> None:
    asked = inputs.sums()
    assert len(asked) == SEARCH["sums"]
    prompts = torch.tensor([[lm.bos_id, *lm.encode(f"{a} + {b}\n")] for a, b in asked])
    with torch.inference_mode():
        out = lm.model.generate(prompts, attention_mask=torch.ones_like(prompts), do_sample=False, pad_token_id=0,
                                max_new_tokens=60, **options)
    said = lm.tokenizer.batch_decode(out[:, prompts.shape[1]:], skip_special_tokens=True)
    right = sum(f"{a} + {b} = {a + b}" in text.split("\n\n")[0].split("\n") for text, (a, b) in zip(said, asked, strict=True))
    assert abs(right - SEARCH[f"sums_{key}"]) <= 2
