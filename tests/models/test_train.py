"""The training program: it learns, it can be stopped and resumed, it writes a folder that loads."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest
import torch

from llmlab.models import LlamaConfig, load
from llmlab.models.train import corpus
from llmlab.models.train.data import mean_loss, pack, windows
from llmlab.models.train.drills import IGNORED, drills
from llmlab.models.train.export import export
from llmlab.models.train.loop import Run
from llmlab.models.train.muon import Muon, orthogonal
from llmlab.models.train.shapes import PLANS, Plan
from llmlab.models.train.tokenizer import train_tokenizer

SMALL = LlamaConfig(
    vocab_size=300,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
)
PLAN = Plan(SMALL, steps=80, batch=4, context=32, warmup=5)


@pytest.fixture(scope="module")
def tokenizer_and_row():
    docs = [d for ds in corpus.build(0.003, with_docstrings=False).train.values() for d in ds]
    tokenizer = train_tokenizer(docs, vocab_size=300)
    return tokenizer, pack(tokenizer, docs)


def test_a_few_steps_lower_the_loss(tokenizer_and_row):
    _, row = tokenizer_and_row
    run = Run(PLAN, row)
    before = mean_loss(run.model, row[:2000], context=32)
    assert abs(before - torch.tensor(300.0).log()) < 0.3, "an untrained model knows nothing: log(V)"
    run.finish()
    assert mean_loss(run.model, row[:2000], context=32) < before - 1.0


def test_a_stopped_and_resumed_run_ends_with_the_same_weights(tokenizer_and_row, tmp_path):
    _, row = tokenizer_and_row
    plan = dataclasses.replace(PLAN, steps=8)
    whole = Run(plan, row)
    whole.finish()
    half = Run(plan, row, tmp_path / "checkpoint.pt")
    for _ in range(3):
        half.one_step()
    half.save()
    rest = Run(dataclasses.replace(plan, seed=plan.seed), row, tmp_path / "checkpoint.pt")
    assert rest.step == 3
    rest.finish()
    for a, b in zip(whole.model.parameters(), rest.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_checkpoint_of_another_plan_is_refused(tokenizer_and_row, tmp_path):
    _, row = tokenizer_and_row
    Run(PLAN, row, tmp_path / "checkpoint.pt").save()
    with pytest.raises(ValueError, match="80 steps, not 81"):
        Run(dataclasses.replace(PLAN, steps=81), row, tmp_path / "checkpoint.pt")


def test_the_schedule_warms_up_and_comes_down(tokenizer_and_row):
    run = Run(PLAN, tokenizer_and_row[1])
    shares = []
    for run.step in range(PLAN.steps):
        shares.append(run.schedule())
    assert shares[0] == pytest.approx(0.2) and max(shares) == shares[4] == shares[5] == 1.0
    assert shares[5:] == sorted(shares[5:], reverse=True) and 0.05 < shares[-1] < 0.06


def test_a_cut_cosine_cools_down_to_nothing(tokenizer_and_row):
    whole = Run(PLAN, tokenizer_and_row[1])
    cut = Run(dataclasses.replace(PLAN, stop=50, cooldown=10), tokenizer_and_row[1])
    assert cut.plan.last == 50 and whole.plan.last == 80
    for whole.step in range(50):
        cut.step = whole.step
        left = min(1.0, (50 - cut.step) / 10)
        assert cut.schedule() == pytest.approx(left * whole.schedule())


def test_windows_are_next_tokens_and_depend_on_the_seed_only():
    row = torch.arange(100)
    inputs, targets = windows(row, 5, 8, seed=3)
    assert inputs.shape == targets.shape == (5, 8)
    assert (targets == inputs + 1).all()
    assert torch.equal(inputs, windows(row, 5, 8, seed=3)[0]) and not torch.equal(
        inputs, windows(row, 5, 8, seed=4)[0]
    )


def test_a_drill_repeats_itself_and_counts_only_what_can_be_known():
    row = torch.arange(5000)  # every token once: a repeated id is a repeated round
    inputs, targets = drills(row, 20, 200, seed=3)
    assert inputs.shape == targets.shape == (20, 200)
    periods = set()
    for line, wanted in zip(inputs.tolist(), targets.tolist(), strict=True):
        period = wanted.count(IGNORED) + 1
        periods.add(period)
        assert 8 <= period <= 64
        assert all(line[i] == line[i - period] for i in range(period, 200))
        assert wanted[: period - 1] == [IGNORED] * (period - 1)
        assert wanted[period - 1 :] == (line[1:] + [line[200 - period]])[period - 1 :]
        assert len(set(line[:period])) > period - 3, "a round of different tokens (two may meet by chance)"
    assert len(periods) > 5
    assert torch.equal(inputs, drills(row, 20, 200, seed=3)[0])


def test_batches_hold_the_planned_share_of_drills_from_the_planned_step_on(tokenizer_and_row):
    run = Run(dataclasses.replace(PLAN, drilled=0.5, drill_steps=(10, 20)), tokenizer_and_row[1])
    inputs, targets, drilled = run._batch(4, 32)
    assert drilled == 0 and (targets != IGNORED).all() and inputs.shape == (4, 32)
    run.step = 10
    inputs, targets, drilled = run._batch(4, 32)
    assert drilled == 2 and inputs.shape == targets.shape == (4, 32)
    assert (targets[:2] == IGNORED).any(dim=1).all() and (targets[2:] != IGNORED).all()
    run.step = 20
    assert run._batch(4, 32)[2] == 0


def test_mean_loss_by_hand(tokenizer_and_row):
    _, row = tokenizer_and_row
    model = Run(PLAN, row).model
    with torch.no_grad():
        losses = [
            -model(row[i * 32 : i * 32 + 32][None]).log_softmax(-1)[0, t, row[i * 32 + t + 1]]
            for i in range(3)
            for t in range(32)
        ]
    assert mean_loss(model, row[:97], context=32, batch=2) == pytest.approx(
        torch.stack(losses).mean().item(), abs=1e-5
    )
    with pytest.raises(ValueError, match="32 tokens are too few"):
        mean_loss(model, row[:32], context=32)


def test_muon_makes_the_step_of_torch():
    """torch's rounds in bf16, hence the tolerance; the direction must agree."""
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(24, 40)) for _ in range(2))
    one = Muon([ours], lr=0.01)
    two = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        ours.grad = torch.randn(24, 40)
        theirs.grad = ours.grad.clone()
        one.step()
        two.step()
    moved, wanted = (ours - 1).detach(), (theirs - 1).detach()
    assert torch.nn.functional.cosine_similarity(moved.flatten(), wanted.flatten(), dim=0) > 0.999
    assert (moved.norm() / wanted.norm()).item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("shape", [(10, 30), (30, 10), (16, 16)])
def test_orthogonal_pulls_singular_values_towards_one(shape):
    torch.manual_seed(1)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert values.min() > 0.3 and values.max() < 1.3


def test_an_exported_folder_loads_here_and_in_transformers(tokenizer_and_row, tmp_path):
    from transformers import AutoModelForCausalLM

    tokenizer, row = tokenizer_and_row
    model = Run(PLAN, row).model
    export(model, tokenizer, tmp_path / "m", {"steps": 0})
    lm = load(tmp_path / "m")
    hf = AutoModelForCausalLM.from_pretrained(
        tmp_path / "m", dtype=torch.float32, local_files_only=True
    ).eval()
    with torch.no_grad():
        assert (lm.logits(row[None, :20]) - hf(row[None, :20]).logits).abs().max() <= 1e-4
    shipped = {k: v.to(torch.bfloat16).float() for k, v in model.state_dict().items()}
    assert all(torch.equal(lm.model.state_dict()[k], v) for k, v in shipped.items())
    assert json.loads((tmp_path / "m" / "manifest.json").read_text())["steps"] == 0


def test_the_command_trains_for_a_moment_and_exports(tmp_path):
    command = [
        sys.executable,
        "-m",
        "llmlab.models.train",
        "--model",
        "draft",
        "--seconds",
        "1",
        "--scale",
        "0.01",
        "--out",
        str(tmp_path / "d"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((tmp_path / "d" / "manifest.json").read_text())
    assert 0 < manifest["steps"] < PLANS["draft"].steps and manifest["tokens"] == manifest["steps"] * 4096
    assert load(tmp_path / "d").vocab_size == 2048


def test_an_unknown_plan_is_named():
    done = subprocess.run(
        [sys.executable, "-m", "llmlab.models.train", "--model", "drafty"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "drafty" in done.stdout and "target, draft" in done.stdout
    assert "Traceback" not in done.stderr
