"""The check of generate's draws: its laws against Hugging Face's processors, its power, and its false alarms."""

import itertools

import pytest
import scipy.stats
import torch
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from llmlab.checks.compare import divergence, types_p
from llmlab.checks.decoding import fakes, loop, loop_draws
from llmlab.checks.decoding.loop_draws import ROWS, VOCAB, Draws, drawn, law
from llmlab.checks.protocol import PASS


def numbers(seed: int):
    generator = torch.Generator().manual_seed(seed)
    return lambda: int(torch.randint(2**31, (), generator=generator))


def test_the_law_equals_hugging_faces_processors():
    generator = torch.Generator().manual_seed(1)
    for _ in range(500):
        logits = torch.randn(1, 9, generator=generator, dtype=torch.float64) * 2
        t, p = (float(x) for x in torch.rand(2, generator=generator) * 0.9 + 0.05)
        k = int(torch.randint(1, 10, (), generator=generator))
        theirs = logits
        for step in (TemperatureLogitsWarper(2 * t), TopKLogitsWarper(k), TopPLogitsWarper(p)):
            theirs = step(None, theirs)
        assert torch.allclose(law(logits[0].softmax(0), 2 * t, k, p), theirs[0].softmax(0), atol=1e-12)


def draws_cases(seed: int):
    return [case for case in loop_draws.cases(numbers(seed)) if isinstance(case.expect, Draws)]


def sampled(probs: torch.Tensor, steps: int, seed: int, rows: int = ROWS) -> list[list[int]]:
    codes = torch.multinomial(probs, rows, replacement=True, generator=torch.Generator().manual_seed(seed)).tolist()
    return [[code // VOCAB**power % VOCAB for power in reversed(range(steps))] for code in codes]


@pytest.mark.parametrize("seed", range(5))
def test_right_draws_pass_and_wrong_ones_are_told_apart(seed):
    for case in draws_cases(seed):
        expect, rows = case.expect, len(case.steps[0].args[1])
        for again in range(20):
            assert drawn(expect, sampled(expect.right, expect.steps, 100 * seed + again, rows)) == PASS
        given = case.steps[0].kwargs
        named = loop_draws.needed(given["temperature"], given.get("k"), given.get("p")) if expect.wrong else set()
        for name, wrong, _ in reversed(expect.wrong):
            if name in named and loop_draws.seen_in(wrong, expect.right, rows):
                verdict = drawn(expect, sampled(wrong, 1, seed, rows))
                assert not verdict.ok and verdict.misconception == name


def test_one_token_for_all_rows_is_no_draw():
    expect = draws_cases(3)[0].expect
    token = int(expect.right.argmax())
    assert drawn(expect, [[token]] * ROWS).misconception == "argmax-instead-of-sampling"
    other = next(i for i, q in enumerate(expect.right.tolist()) if q > 0 and i != token)
    assert drawn(expect, [[other]] * ROWS).misconception == "one-draw-for-all-rows"


def test_a_second_token_that_repeats_the_draw_of_the_first_is_rejected():
    """The negative control of the case with two tokens a row: each token alone follows its law, but not both together."""
    expect = next(case.expect for case in draws_cases(4) if case.expect.steps == 2)
    joint = expect.right.reshape(VOCAB, VOCAB)
    first = joint.sum(1)
    u = torch.rand(ROWS, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    rows = []
    for x in u.tolist():
        one = int(torch.searchsorted(first.cumsum(0), x, right=True))
        rows.append([one, int(torch.searchsorted((joint[one] / first[one]).cumsum(0), x, right=True))])
    assert not drawn(expect, rows).ok


def test_the_fakes_answer_about_real_tokens_only():
    model = fakes.table(3, 11)
    ids = torch.tensor([[0, 0, 4, 5], [9, 9, 4, 5], [4, 5, 0, 0], [0, 4, 4, 5]])
    mask = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 1, 1]])
    answers = model.fn(ids, mask)
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2]), "the last column of a right-padded row is padding"
    assert not torch.equal(answers[0], answers[3])
    assert not torch.equal(model.fn(ids[:1], torch.ones(1, 4))[0], answers[0]), "padding that is not masked is text"


def test_every_misconception_of_the_loop_has_a_case_that_could_name_it():
    told = set()
    for case in loop.cases(0):
        if isinstance(case.expect, loop.Loop):
            right = loop.reference(case.expect)
            told |= {name for name, wrong, _ in loop.wrong_loops(case.expect) if wrong() != right}
    run = next(case.expect for case in loop.cases(0) if isinstance(case.expect, loop.Loop) and case.expect.stop)
    assert told == {name for name, _, _ in loop.wrong_loops(run)}


def test_settings_cover_each_knob_alone_and_both_truncations_together():
    asked = {frozenset(set(case.steps[0].kwargs) & {"k", "p"}) for case in draws_cases(0)}
    assert asked == {frozenset(), frozenset("k"), frozenset("p"), frozenset("kp")}


@pytest.mark.parametrize("law", [[0.5, 0.5], [0.9, 0.07, 0.03], [0.25] * 4, [0.4, 0.3, 0.2, 0.1]])
@pytest.mark.parametrize("draws", [6, 20])
def test_the_bound_on_a_right_samplers_rejections_holds(law, draws):
    """Every possible count of a few draws, with its exact probability: bounds below q come with probability q at most."""
    probs = torch.tensor(law, dtype=torch.float64)
    bounds = []
    for counts in itertools.product(range(draws + 1), repeat=len(law) - 1):
        if sum(counts) <= draws:
            whole = [*counts, draws - sum(counts)]
            chance = scipy.stats.multinomial.pmf(whole, draws, law)
            bounds.append((types_p(torch.tensor(whole), probs), float(chance)))
    assert sum(chance for _, chance in bounds) == pytest.approx(1)
    for q in (0.5, 0.1, 1e-2, 1e-4, 1e-6):
        assert sum(chance for bound, chance in bounds if bound <= q) <= q
    assert types_p(torch.tensor([0] * (len(law) - 1) + [5_000]), probs) < 1e-13, "what never happens is rejected"


def test_divergence_agrees_with_scipy():
    p, q = torch.tensor([[0.1, 0.0, 0.9], [0.2, 0.5, 0.3]], dtype=torch.float64)
    assert divergence(p, q) == pytest.approx(scipy.stats.entropy(p, q), rel=1e-12)
    assert divergence(q, p) == float("inf")
