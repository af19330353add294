"""The oracles of compression's checks against torch and a pruned model, and what the rules can tell apart."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from llmlab.checks.compression import distillation, importance, pruning
from llmlab.checks.kv_cache.tiny import Tiny
from tests.checks.test_kv_cache_oracles import as_hf


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("tau", "mix"), [(1.0, 1.0), (2.5, 0.3), (30.0, 0.8)])
def test_the_loss_and_its_gradient_are_torchs(tau, mix):
    student, teacher, targets = distillation.drawn(draws(1), 5, 7)
    student.requires_grad_()
    soft = F.kl_div((student / tau).log_softmax(-1), (teacher / tau).softmax(-1), reduction="batchmean")
    theirs = mix * tau**2 * soft + (1 - mix) * F.cross_entropy(student, targets)
    theirs.backward()
    batch = distillation.Batch(student.detach(), teacher, targets, tau, mix)
    assert batch.loss() == pytest.approx(theirs.item(), abs=1e-12)
    assert (batch.gradient() - student.grad).abs().max() < 1e-12


def test_the_reversed_gradient_is_torchs_too():
    student, teacher, targets = distillation.drawn(draws(2), 4, 6)
    student.requires_grad_()
    ours, theirs = (student / 3).log_softmax(-1), (teacher / 3).log_softmax(-1)
    soft = F.kl_div(theirs, ours, reduction="batchmean", log_target=True)
    (0.6 * 9 * soft + 0.4 * F.cross_entropy(student, targets)).backward()
    batch = distillation.Batch(student.detach(), teacher, targets, 3.0, 0.6)
    assert (batch.reversed_gradient() - student.grad).abs().max() < 1e-12


def test_a_high_temperature_matches_logits():
    """The gradient goes to the difference of the centred logits over V, faster and faster as tau grows."""
    student, teacher, targets = distillation.drawn(draws(3), 3, 5)
    centred = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    off = [float((distillation.Batch(student, teacher, targets, tau, 1.0).gradient() * 3 - centred / 5).abs().max())
           for tau in (1.0, 10.0, 100.0, 1000.0)]
    assert off == sorted(off, reverse=True) and off[-1] < 1e-3 < off[0]


def of(tiny: Tiny, layer: int) -> dict[str, torch.Tensor]:
    """A tiny model's layer under Hugging Face's names, (out, in)."""
    return {f"{name}_proj": weight.T for name, weight in tiny.blocks[layer].items()}


def put(tiny: Tiny, layer: int, weights) -> None:
    tiny.blocks[layer] = {name.removesuffix("_proj"): weight.T for name, weight in weights.items()}


@torch.no_grad()
def test_removing_what_is_zero_changes_nothing_in_hugging_faces_llama():
    """Heads 1 and 2 of every layer write 0 and channels 3 to 9 are read with 0; the pruned model says the same."""
    tiny, ids = Tiny(31, 6, 3), torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    d, kept, stay = tiny.head_dim, [0, 2], [c for c in range(24) if not 3 <= c < 10]
    for layer in range(tiny.layers):
        weights = {name: weight.clone() for name, weight in of(tiny, layer).items()}
        weights["o_proj"][:, 2 * d : 4 * d] = 0
        weights["down_proj"][:, 3:10] = 0
        put(tiny, layer, weights)
    before = as_hf(tiny)(ids).logits
    for layer in range(tiny.layers):
        small = pruning.channels(pruning.groups(of(tiny, layer), kept, 6, 3)[0], stay)[0]
        assert sum(w.numel() for w in small.values()) == 36 * (2 * 4 * d + 2 * 2 * d) + 3 * 36 * 17
        put(tiny, layer, small)
    tiny.heads, tiny.kv_heads = 4, 2
    after = tiny.logits(tiny.whole(ids[0].tolist()))
    assert (after - before[0]).abs().max() < 1e-5


def test_every_wrong_value_is_told_apart_somewhere():
    for module in (importance, distillation):
        named, seen = set(), set()
        for case in module.cases(0):
            for name, (value, _) in case.expect.wrong.items():
                named.add((case.task, name))
                want = case.expect.value
                if value.shape != want.shape or (value.double() - want.double()).abs().max() > 1e-3:
                    seen.add((case.task, name))
        assert named and named == seen


def test_every_wrong_way_to_prune_is_told_apart_somewhere():
    named, seen = set(), set()
    for case in pruning.cases(0):
        if isinstance(case.expect, tuple):
            for name, (told, _) in case.expect[1].items():
                named.add((case.task, name))
                seen |= set() if pruning.same(case.expect[0], told) else {(case.task, name)}
    assert named and named == seen
