"""The oracles of calibration's checks against brute force, least squares, derivatives and torch."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from llmlab.checks.calibration import awq, columns, int8, measures, scales, states
from llmlab.checks.calibration.oracle import Gptq, gptq, nearest, nearest_at_once, output_error, output_loss, scale_of
from llmlab.checks.calibration.parts_judged import differs, normal, taken
from llmlab.checks.protocol import Returned


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(70)


@pytest.mark.parametrize(("bits", "group"), [(2, 3), (3, None), (4, 4), (8, 6)])
def test_the_grid_is_torchs_fake_quantization(generator, bits, group):
    w = normal(generator, 5, 12).float()
    parts = w.reshape(-1, group or 12)
    last = 2 ** (bits - 1) - 1
    scale = parts.abs().amax(1) / last
    theirs = torch.fake_quantize_per_channel_affine(parts, scale, torch.zeros(len(parts)).int(), 0, -last, last)
    assert torch.allclose(nearest(w, bits, group).float(), theirs.view(5, 12), atol=1e-6)
    assert torch.allclose(nearest_at_once(w, bits, group)[0], nearest(w, bits, group), atol=1e-12)


def test_the_hessian_is_the_second_derivative_of_the_error(generator):
    x, w = normal(generator, 7, 4), normal(generator, 4)
    theirs = torch.autograd.functional.hessian(lambda row: (x @ row - x @ w).square().sum(), normal(generator, 4))
    assert torch.allclose(columns.hessian(x, 0.0), theirs)
    damped = columns.hessian(x, 0.25) - theirs
    assert torch.allclose(damped, 0.25 * theirs.diag().mean() * torch.eye(4, dtype=torch.float64))


def test_after_the_first_column_the_others_are_the_least_squares_answer(generator):
    """What gptq does to the rest is the best that can be done, found by lstsq on the inputs and not by any inverse."""
    x, w = normal(generator, 20, 5), normal(generator, 3, 5)
    first = gptq(w, columns.hessian(x, 0.0), 3)[:, 0]
    best = torch.linalg.lstsq(x[:, 1:], x @ w.T - x[:, :1] * first).solution.T  # (3, 4)
    scale = w.abs().amax(1) / 3
    second = (best[:, 0] / scale).round().clamp(-3, 3) * scale
    assert torch.allclose(gptq(w, columns.hessian(x, 0.0), 3)[:, 1], second)


def best_codes(w: torch.Tensor, h: torch.Tensor, bits: int) -> float:
    """The least loss of one row over all codes of its grid."""
    scale, last = scale_of(w[0].tolist(), bits), 2 ** (bits - 1) - 1
    codes = list(itertools.product(range(-last, last + 1), repeat=w.shape[1]))
    off = torch.tensor(codes, dtype=torch.float64) * scale - w
    return float(0.5 * torch.einsum("ci,ij,cj->c", off, h, off).min())


def test_gptq_lies_between_the_best_rounding_and_the_nearest(generator):
    best, ours, plain, wrong = 0.0, 0.0, 0.0, 0.0
    for _ in range(40):
        w, h = columns.draw(generator, 1, 5, 3)
        found = [best_codes(w, h, 3), output_loss(w, gptq(w, h, 3), h), output_loss(w, nearest(w, 3), h)]
        assert found[0] <= min(found[1:]) + 1e-9
        best, ours, plain = best + found[0], ours + found[1], plain + found[2]
        wrong += output_loss(w, gptq(w, h, 3, rule=Gptq(sign=1.0)), h)
    assert best < ours < 0.9 * plain < plain < wrong


def test_all_four_ways_to_gptq_agree_on_a_diagonal_hessian(generator):
    """Independent inputs leave nothing to make up for."""
    w, h = normal(generator, 3, 6), torch.diag(normal(generator, 6).abs() + 1)
    for rule in (Gptq(), Gptq(fresh_inverse=False), Gptq(sign=1.0), Gptq(compensate=False)):
        assert torch.allclose(gptq(w, h, 4, rule=rule), nearest(w, 4))


def test_int8_stays_within_the_bound_of_its_roundings(generator):
    for outliers in (0, 2):
        x, w = int8.draw(generator, 6, 16, 4, outliers)
        rest = ~(x.abs() > 6).any(0)
        a, b = x[:, rest].abs(), w[:, rest].abs()
        half_x, half_w = a.amax(1, keepdim=True) / 254, b.amax(1, keepdim=True) / 254
        bound = half_x * b.sum(1) + a.sum(1, keepdim=True) * half_w.T + rest.sum() * half_x * half_w.T
        off = (int8.number_by_number(x, w, 6.0) - x @ w.T).abs()
        assert bool((off <= bound + 1e-12).all()) and float(off.max()) > 0


def test_the_split_pays_where_there_is_an_outlier_and_only_there(generator):
    for outliers in (2, 0):
        x, w = int8.draw(generator, 8, 24, 4, outliers)
        split, plain = (int8.number_by_number(x, w, threshold) - x @ w.T for threshold in (6.0, math.inf))
        gain = float(plain.square().mean() / split.square().mean())
        assert gain > 4 if outliers else gain == 1


def test_at_one_half_both_sides_of_a_channel_become_equally_large(generator):
    x, w = normal(generator, 9, 5) * torch.tensor([1.0, 50, 0.1, 3, 1]), normal(generator, 4, 5)
    s = torch.tensor(scales.smooth(x.T.tolist(), w.T.tolist(), 0.5))
    assert torch.allclose((x / s).abs().amax(0), (w * s).abs().amax(0))


def test_folding_keeps_the_function_and_its_mistakes_do_not(generator):
    x, first, second = normal(generator, 6, 3), normal(generator, 4, 3), normal(generator, 5, 4)
    case = scales.fold_case(scales.MATRIX, first, second, 2 ** normal(generator, 4))
    right = x @ first.T @ second.T
    before, after = case.expect.value
    assert torch.allclose(x @ before.T @ after.T, right)
    for name, (rule, _) in case.expect.wrong.items():
        before, after = rule()
        same = torch.allclose(x @ before.T @ after.T, right)
        assert same == (name == "folded-the-wrong-way"), name  # that one keeps the function and makes things worse


def test_awq_at_zero_is_rounding_to_nearest_and_the_best_is_never_worse(generator):
    for bits, group in ((3, None), (4, 2)):
        x, w = normal(generator, 8, 4) * torch.tensor([20.0, 1, 1, 0.2]), normal(generator, 3, 4)
        errors, size, _ = awq.search(x, w, bits, group, 20)
        assert errors[0] == pytest.approx(output_error(x, w, nearest(w, bits, group)))
        alpha, scale = awq.chosen(x, w, bits, group, 20)
        assert output_error(x, w, nearest(w * scale, bits, group) / scale) == pytest.approx(min(errors))
        assert torch.equal(scale, size**alpha)


def test_a_common_factor_of_awqs_scales_changes_nothing(generator):
    w, s = normal(generator, 3, 6), 2 ** normal(generator, 6)
    assert torch.allclose(nearest(w * s, 4, 3) / s, nearest(w * s * 7.3, 4, 3) / (s * 7.3))


def test_perplexity_is_that_of_torchs_cross_entropy(generator):
    """Labels as Hugging Face's models take them: shifted by one, -100 for padding."""
    logits, ids = normal(generator, 3, 8, 19), torch.randint(19, (3, 8), generator=generator)
    real = measures.padded((8, 3, 5), 8, left=False)
    labels = torch.where(real.bool(), ids, -100)[:, 1:]
    theirs = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels.flatten(), ignore_index=-100)
    case = measures.perplexity_case(measures.LENGTHS, logits, ids, real)
    assert case.expect.value == pytest.approx(float(theirs.exp()))
    for name, (rule, _) in case.expect.wrong.items():
        if name != "padding-predicts":  # nothing stands before a text that is padded on the right
            assert rule() != pytest.approx(case.expect.value, rel=1e-3), name


def test_divergence_is_that_of_torch(generator):
    first, second = normal(generator, 2, 4, 6), normal(generator, 2, 4, 6)
    ours = measures.drift_case(measures.KL, first, second).expect.value
    p, q = (torch.distributions.Categorical(logits=z.flatten(0, 1)) for z in (first, second))
    assert ours[0] == pytest.approx(float(torch.distributions.kl_divergence(p, q).mean()))
    theirs = F.kl_div(second.log_softmax(-1), first.log_softmax(-1), reduction="none", log_target=True)
    assert ours[0] == pytest.approx(float(theirs.sum(-1).mean()))
    assert ours[1] == float((first.argmax(-1) == second.argmax(-1)).double().mean())


def test_bits_are_those_of_a_file_with_codes_and_scales():
    """128 weights in groups of 32, two rows: 64 bytes of codes and 8 of scales at 4 bits, so 4.5 bits a weight."""
    weights = {"a": torch.randn(2, 64)}
    assert states.made(weights, 4, 32, None, ())[1] == (2 * 64 // 2 + 2 * 2 * 2) * 8 / 128 == 4.5
    weights["norm"] = torch.ones(128)
    assert states.made(weights, 4, 32, None, ())[1] == (4.5 + 16) / 2


@pytest.mark.parametrize("seed", range(4))
def test_every_mistake_about_bits_gives_a_number_of_its_own(seed):
    told = 0
    for case in states.cases(seed):
        if case.group == states.BITS:
            found = {round(rule()[1], 6) for rule, _ in case.expect.wrong.values()} - {round(case.expect.value[1], 6)}
            told = max(told, len(found))
    assert told >= 9


@pytest.mark.parametrize("part", [int8, scales, awq, columns, states, measures], ids=lambda part: part.__name__.split(".")[-1])
def test_every_mistake_is_called_by_its_name_somewhere(part):
    """What each wrong rule gives is refused in every case where it is wrong, and named by its own name in one of them."""
    known, named = set(), set()
    for case in part.cases(5):
        for name, (rule, _) in getattr(case.expect, "wrong", {}).items():
            value = rule()
            known.add(name)
            if differs(taken(case.expect.value, case.expect.part), taken(value, case.expect.part)):
                verdict = part.judge(case, [Returned(value)], [])
                assert not verdict.ok and verdict.misconception
                named |= {name} & {verdict.misconception}
    assert sorted(known - named) == []


SOURCE = """
import torch
def junk(*args, **kwargs):
    return {value}
llm_int8 = smoothquant_scales = fold_scales = awq_scales = gptq_hessian = gptq = quantize = perplexity = drift = junk
"""


@pytest.mark.parametrize("value", [
    "10 ** 3000", "(1, 2, 3)", "({'lm_head.weight': 3}, 1e400)", "torch.full((2, 2), float('nan'))",
    "(True, torch.zeros(1, dtype=torch.complex64))", "[[float('inf')], '']"])
def test_junk_earns_nothing_and_breaks_nothing(report, value):
    found = report("calibration", SOURCE.format(value=value).encode())
    assert found.earned == 0
    failures = [group.failure for task in found.tasks for group in task.groups]
    assert all(failures) and not [f.text() for f in failures if f.misconception == "check-failed"]
