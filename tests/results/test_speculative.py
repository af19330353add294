"""What speculative.json says besides times: counted again by plain loops, and predictions by the closed form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from llmlab import models
from llmlab.models.lean import Decoder
from llmlab.models.train import corpus

VALUES = json.loads((Path(__file__).resolve().parents[2] / "results" / "speculative.json").read_text(encoding="utf-8"))["values"]
RUNS = sorted(key.removesuffix("_predicted_costs") for key in VALUES if key.endswith("_predicted_costs"))


@pytest.mark.parametrize("run", RUNS)
def test_predictions_are_the_formula_of_what_was_measured_beside_them(run):
    part, _, gamma = run.split("_")
    alpha, gamma, tokens = VALUES[f"{run}_alpha"], int(gamma), VALUES[f"{run}_tokens_predicted"]
    assert tokens == pytest.approx((1 - alpha ** (gamma + 1)) / (1 - alpha))
    cost = (tokens / VALUES[f"{run}_predicted"] - 1) / gamma  # of a drafted token, in passes of the target
    assert 0 < cost < 0.5 and VALUES[f"{run}_predicted"] < gamma + 1
    assert 1 <= VALUES[f"{run}_tokens"] <= gamma + 1
    assert VALUES[f"{run}_low"] <= VALUES[f"{run}_speed"] <= VALUES[f"{run}_high"]
    if part == "fp32":
        assert VALUES.get(f"{run}_same", 1) == 1  # greedy: the plain text, token for token


def test_there_are_all_runs():
    assert len(RUNS) == 3 * 2 * 8 + 2 * 3


def test_greedy_rates_on_the_greedy_texts():
    """`draft_*_greedy`: the target writes; what another model would have said at each place of its text is counted."""
    target, draft = models.load("target"), models.load("draft")
    texts = corpus.build(with_docstrings=False).validation
    new, gamma, accepted, checked, passes = 2 * VALUES["new"], 4, 0, 0, 0
    start = VALUES["prompt"]
    prompts = [target.encode(texts[kind][0])[:start] for kind in ("stories", "arithmetic", "pairs", "records")]
    written = Decoder(target).generate(torch.tensor(prompts), new + gamma).tolist()
    for ids in map(list.__add__, prompts, written):
        says = draft.logits(torch.tensor([ids]))[0].argmax(-1).tolist()  # after each token of the text
        end = start
        while end < start + new:
            right = 0
            while right < gamma and says[end + right - 1] == ids[end + right]:
                right += 1
            accepted, checked, passes, end = accepted + right, checked + min(right + 1, gamma), passes + 1, end + right + 1
    assert VALUES["draft_model_greedy_alpha"] == pytest.approx(accepted / checked, abs=0.02)
    assert VALUES["draft_model_greedy_tokens"] == pytest.approx((accepted + passes) / passes, abs=0.08)
