"""The statistics of the check of sample: how often it rejects a right sampler, and which wrong ones it finds.

A distribution test that has never rejected anything proves nothing. So wrong samplers are planted, with the
power of the test against each computed from the noncentral chi-square distribution; and the false-alarm rate
is computed exactly for two cells, where the approximation is worst.
"""

import types

import numpy as np
import pytest
import scipy.stats
import torch

from llmlab.checks.compare import FALSE_ALARM, chi_square_p
from llmlab.checks.decoding import rows, sampling
from llmlab.checks.protocol import Returned
from llmlab.grading import variants

TESTS = 16  # at most so many distribution tests in one check, hidden cases included


@pytest.fixture(scope="module")
def solution():
    module = types.ModuleType("decoding")
    exec(compile(variants.solution("decoding"), "solutions/decoding.py", "exec"), module.__dict__)
    return module


@pytest.fixture(scope="module")
def logits() -> torch.Tensor:
    return sampling.two_blocks(torch.Generator().manual_seed(5), 8, sampling.drawable).double()


def drawn(laws: torch.Tensor, seed: int, count: int = sampling.ROWS) -> torch.Tensor:
    """`count` tokens from each row of `laws` (blocks, V), by numpy."""
    generator = np.random.default_rng(seed)
    several = [generator.choice(laws.shape[-1], count, p=(law / law.sum()).numpy()) for law in laws]
    return torch.from_numpy(np.concatenate(several))


def verdict(logits: torch.Tensor, tokens: torch.Tensor, group: str = sampling.FITS):
    case = sampling.blocks_case(group, logits, 0)
    return sampling.judge(case, [Returned(tokens)], [])


@pytest.mark.parametrize("cells", [2, 5, 30])
def test_p_values_agree_with_scipy(cells):
    generator = np.random.default_rng(cells)
    for _ in range(200):
        probs = generator.dirichlet(np.full(cells, 4.0))
        total = int(np.ceil(6 / probs.min()))
        counts = generator.multinomial(total, generator.dirichlet(1 + 200 * probs))
        want = scipy.stats.chisquare(counts, probs * total).pvalue
        got = chi_square_p(torch.from_numpy(counts), torch.from_numpy(probs))
        assert got == pytest.approx(want, rel=1e-8, abs=1e-300)


def test_rare_cells_are_pooled():
    probs = torch.tensor([0.5, 0.47, 0.012, 0.01, 0.008], dtype=torch.float64)
    counts = torch.tensor([110, 80, 6, 1, 3])  # 200 draws: the last three expect 2.4, 2.0 and 1.6, together 6
    want = scipy.stats.chisquare([110, 80, 10], [100, 94, 6]).pvalue
    assert chi_square_p(counts, probs) == pytest.approx(want, rel=1e-9)


def test_p_values_of_a_right_sampler_are_uniform():
    generator = np.random.default_rng(0)
    probs = np.array([0.35, 0.25, 0.2, 0.1, 0.0895, 0.0105])
    law = torch.from_numpy(probs)
    values = [chi_square_p(torch.from_numpy(counts), law) for counts in generator.multinomial(sampling.ROWS,
                                                                                              probs, 3_000)]
    assert scipy.stats.kstest(values, "uniform").pvalue > 1e-6
    below = sum(value < 0.01 for value in values)
    assert scipy.stats.binomtest(below, len(values), 0.01).pvalue > 1e-6


def test_a_right_sampler_fails_less_than_once_in_a_billion_checks():
    """Exact binomial tails at the smallest cell allowed, where chi-square is furthest from the truth."""
    probs = torch.tensor([sampling.SMALLEST / sampling.ROWS, 1 - sampling.SMALLEST / sampling.ROWS],
                         dtype=torch.float64)

    def rejected(count: int) -> bool:
        return chi_square_p(torch.tensor([count, sampling.ROWS - count]), probs) < sampling.REJECT

    mean = sampling.SMALLEST
    high = next(count for count in range(mean, 4 * mean) if rejected(count))
    low = next(count for count in range(mean, -1, -1) if rejected(count))
    exact = scipy.stats.binom(sampling.ROWS, float(probs[0]))
    rate = exact.sf(high - 1) + exact.cdf(low)
    assert sampling.REJECT < rate < 100 * sampling.REJECT, f"a factor {rate / sampling.REJECT:.0f}"
    assert TESTS * rate < FALSE_ALARM


def test_no_check_makes_more_tests_than_promised_or_expects_fewer_draws():
    for seed in range(5):
        made = [case.expect for case in sampling.cases(seed) if isinstance(case.expect, sampling.Blocks)]
        assert sum(2 * len(expect.logits) for expect in made) <= TESTS
        for case in sampling.cases(seed):
            if isinstance(case.expect, sampling.Blocks):
                probs = case.expect.logits.double().softmax(-1)
                batch = case.steps[0].args[0]
                assert batch.numel() // batch.shape[-1] >= 2 * sampling.FEWER
                each = batch.numel() // batch.shape[-1] / len(probs)
                assert float(probs[probs > 0].min()) * each >= sampling.SMALLEST


def power(right: torch.Tensor, wrong: torch.Tensor, count: int = sampling.ROWS) -> float:
    """Chance that a sampler of `wrong` (V,) is rejected when it should follow `right`."""
    noncentral = count * float(((wrong - right) ** 2 / right).sum())
    critical = scipy.stats.chi2.isf(sampling.REJECT, len(right) - 1)
    return float(scipy.stats.ncx2.sf(critical, len(right) - 1, noncentral))


def slightly_wrong(probs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Samplers that are nearly right: (blocks, V) each."""
    rarest, top = probs.argmin(-1, keepdim=True), probs.argmax(-1, keepdim=True)
    without = probs.scatter(-1, rarest, 0.0)
    fifth = probs.scatter_add(-1, top, -0.15 * probs.gather(-1, top))
    warmer = probs ** (1 / 1.2)
    return {
        "temperature 1.2": warmer / warmer.sum(-1, keepdim=True),
        "one draw in eight is uniform": 0.875 * probs + 0.125 / probs.shape[-1],
        "the rarest token never comes": without / without.sum(-1, keepdim=True),
        "the top token comes 15 % too rarely": fifth / fifth.sum(-1, keepdim=True),
    }


@pytest.mark.parametrize("name", ["temperature 1.2", "one draw in eight is uniform",
                                  "the rarest token never comes",
                                  "the top token comes 15 % too rarely"])
def test_a_slightly_wrong_sampler_is_rejected(logits, name):
    """The power against each is above 0.999; a tolerance of 0.02 on frequencies would pass the third."""
    probs = logits.softmax(-1)
    wrong = slightly_wrong(probs)[name]
    missed = np.prod([1 - power(p, q) for p,
                      q in zip(probs, wrong, strict=True)])  # by both distributions of the call
    assert missed < 1e-3
    for seed in range(3):
        found = verdict(logits, drawn(wrong, seed))
        assert not found.ok and "chi-square" in found.message


def test_the_right_distribution_passes(logits):
    for seed in range(10):
        assert verdict(logits, drawn(logits.softmax(-1), seed)).ok


def test_each_wrong_law_is_named(logits):
    holes = sampling.with_holes(logits)
    for i, (name, _, _) in enumerate(sampling.wrong_laws(holes[0])):
        laws = torch.stack([sampling.wrong_laws(row)[i][1] for row in holes])
        assert verdict(holes, drawn(laws, i)).misconception == name


def test_rows_that_copy_their_neighbour_now_and_then_are_found():
    """A fifth of the pairs share a token; every row alone has the right distribution."""
    few = sampling.two_blocks(torch.Generator().manual_seed(6), 3, lambda row: min(rows.softmax(row)) > 0.19)
    pairs = drawn(few.double().softmax(-1), 1).reshape(-1, 2).clone()
    copied = torch.rand(len(pairs), generator=torch.Generator().manual_seed(7)) < 0.2
    pairs[copied, 1] = pairs[copied, 0]
    found = verdict(few, pairs.flatten(), sampling.APART)
    assert found.misconception == "one-draw-for-all-rows" and "depend on each other" in found.message
    assert verdict(few, drawn(few.double().softmax(-1), 2), sampling.APART).ok


def test_the_solution_uses_its_generator_alone(solution, logits):
    batch = logits.repeat_interleave(50, dim=0)
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    generator = torch.Generator().manual_seed(1)
    first, second = solution.sample(batch, generator), solution.sample(batch, generator)
    assert torch.equal(torch.random.get_rng_state(), state), "the global random state was used"
    assert not torch.equal(first, second), "the generator advances from call to call"
    again = torch.Generator().manual_seed(1)
    assert torch.equal(solution.sample(batch, again), first) and torch.equal(solution.sample(batch, again),
                                                                             second)


def test_the_solution_never_draws_a_removed_token(solution):
    """Whatever u is, also the largest below 1: the place is taken by a token that is possible."""
    logits = torch.full((4_000, 3_000), -rows.INF)
    logits[:, [5, 1_700]] = torch.tensor([0.0, -18.0])
    tokens = solution.sample(logits, torch.Generator().manual_seed(2))
    assert set(tokens.tolist()) <= {5, 1_700}
