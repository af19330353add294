"""Matrices, inputs, folding places and copies: against hooks on nothing, the parts of the model, and its logits."""

from __future__ import annotations

import pytest
import torch

from llmlab.models import load
from llmlab.models.calibrate import changed, inputs, matrices, output_errors, readers, rows
from llmlab.models.parts import Parts

IDS = torch.tensor([[1, 40, 50, 60, 70], [1, 80, 90, 100, 110]])


@pytest.fixture(scope="module")
def draft():
    return load("draft")


def test_inputs_are_what_the_matrices_are_multiplied_with(draft):
    flows, parts = inputs(draft, IDS), Parts(draft)
    assert list(flows) == [name for name in matrices(draft) if name in flows] and len(flows) == len(matrices(draft))
    layer, where = draft.model.model.layers[0], torch.arange(5).expand(2, 5)
    x = parts.embed(IDS)
    assert torch.equal(flows["model.layers.0.self_attn.q_proj.weight"], layer.input_layernorm(x).detach().flatten(0, 1))
    values = flows["model.layers.0.self_attn.v_proj.weight"] @ matrices(draft)["model.layers.0.self_attn.v_proj.weight"].T
    mine = parts.qkv(0, x, where)[2].transpose(1, 2).reshape(10, -1)
    assert torch.allclose(values, mine, atol=1e-5)
    assert not any(module._forward_pre_hooks for module in draft.model.modules())


def test_what_reads_the_same_rows_is_named_together(draft):
    flows = inputs(draft, IDS)
    for names in readers(draft).values():
        assert all(flows[name] is flows[names[0]] or torch.equal(flows[name], flows[names[0]]) for name in names)
    told = [name for names in readers(draft).values() for name in names]
    assert sorted(set(matrices(draft)) - set(told)) == [name for name in matrices(draft) if "o_proj" in name]


@pytest.mark.parametrize("factor", [4.0, 0.25])
def test_scales_can_be_folded_at_every_place_that_is_named(draft, factor):
    state = {name: tensor.detach().clone() for name, tensor in draft.model.state_dict().items()}
    for number, (before, names) in enumerate(readers(draft).items()):
        scale = torch.ones(state[names[0]].shape[1])
        scale[number :: 3] = factor
        state[before] /= scale if state[before].ndim == 1 else scale[:, None]
        for name in names:
            state[name] *= scale
    other = changed(draft, state)
    assert (other.logits(IDS) - draft.logits(IDS)).abs().max() < 1e-4
    one = next(iter(readers(draft)))
    broken = changed(draft, {one: state[one] * 2})  # the control: this place does matter
    assert (broken.logits(IDS) - draft.logits(IDS)).abs().max() > 0.1


def test_a_copy_has_the_new_weights_and_the_old_model_has_its_own(draft):
    before, name = draft.logits(IDS), "model.layers.1.mlp.down_proj.weight"
    other = changed(draft, {name: torch.zeros_like(matrices(draft)[name])})
    assert float(matrices(other)[name].abs().max()) == 0 and not torch.equal(other.logits(IDS), before)
    assert torch.equal(draft.logits(IDS), before)


def test_a_product_takes_the_place_of_every_matrix_of_the_layers(draft):
    seen = []

    def product(x, w):
        seen.append((tuple(x.shape), tuple(w.shape)))
        return x @ w.T

    other = changed(draft, {}, product)
    assert torch.allclose(other.logits(IDS), draft.logits(IDS), atol=1e-4)
    assert seen == [((10, w.shape[1]), tuple(w.shape)) for w in matrices(draft).values()]


@pytest.mark.parametrize(("name", "tensor", "words"), [
    ("model.norm.weights", torch.ones(96), "no tensor of that name"), ("model.norm.weight", torch.ones(95), r"\(95,\)")])
def test_what_does_not_fit_is_named(draft, name, tensor, words):
    with pytest.raises(ValueError, match=words):
        changed(draft, {name: tensor})


def test_text_to_calibrate_and_to_measure_have_no_row_in_common(draft):
    seen, new = rows(draft, 12, 64), rows(draft, 12, 64, "validation")
    assert seen.shape == new.shape == (12, 64)
    assert not {tuple(row) for row in seen.tolist()} & {tuple(row) for row in new.tolist()}
    assert torch.equal(seen, rows(draft, 12, 64)) and not torch.equal(seen, rows(draft, 12, 64, seed=1))
    with pytest.raises(ValueError, match="fewer than"):
        rows(draft, 10**6, 64)


def test_errors_are_relative_and_named_shortly(draft):
    flows, before = inputs(draft, IDS), matrices(draft)
    found = output_errors(flows, before, {name: w * 1.5 for name, w in before.items()})
    assert list(found)[:2] == ["0.q", "0.k"] and len(found) == len(before)
    assert all(error == pytest.approx(0.25, rel=1e-4) for error in found.values())
