"""The oracles of the checks of speculative, against fractions, Hugging Face and a negative control."""

from __future__ import annotations

import types
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.generation import candidate_generator
from transformers.generation import logits_process as warpers
from transformers.generation import utils as hf

from llmlab.checks.speculative import (
    exits,
    long_runs,
    lookups,
    loop,
    numbers,
    plain,
    processed,
    rules,
    steps,
    verifying,
    worlds,
)
from llmlab.grading import variants
from llmlab.models import load
from llmlab.models.session import Dice, Session

WEIGHTS = Path(__file__).resolve().parents[2] / "llmlab" / "models" / "weights"


def solved() -> types.ModuleType:
    found = types.ModuleType("solved_speculative")
    exec(compile(variants.solution("speculative"), "speculative.py", "exec"), found.__dict__)
    return found


def step_law(rule: verifying.Rule, want: verifying.Step) -> tuple[float, float]:
    return steps.law_of(want, [rule(*row) for row in want.given])


def test_the_rule_is_exact_and_every_wrong_one_is_off_or_slower():
    """Over enumerations the contract has the target's joint law to 1e-12 and gains what theory says."""
    unseen = {name for name, _, _ in verifying.WRONG}
    for want in [steps.enumerated(seed, 3, 2).expect for seed in range(3)] + [steps.telling(0, 4, 2).expect]:
        far, mean = step_law(verifying.step(), want)
        assert far < 1e-12
        gained, (p, q) = (
            Fraction(1),
            (list(map(Fraction, want.world.law((), draft=d))) for d in (False, True)),
        )
        for first in range(len(p)):  # 1 + P(first accepted) + P(both accepted), by exact fractions
            behind = zip(want.world.law((first,)), want.world.law((first,), draft=True), strict=True)
            gained += min(p[first], q[first]) * (1 + sum(Fraction(min(a, b)) for a, b in behind))
        assert mean == pytest.approx(float(gained), abs=1e-12)
        for name, rule, _ in verifying.WRONG:
            wrong_far, wrong_mean = step_law(rule, want)
            if wrong_far > 1e-3 or wrong_mean < mean - 1e-3:
                unseen.discard(name)
            else:
                assert wrong_far < 1e-12 and wrong_mean == pytest.approx(
                    mean
                )  # the mistake cannot show in this world
    assert not unseen


def test_the_first_token_is_the_targets_by_fractions():
    """min(p, q) + (1 - alpha) residual = p, for every pair of the enumerations, in exact numbers."""
    for p, q in worlds.pairs(4, (0, 1, 2)):
        p, q = list(map(Fraction, p)), list(map(Fraction, q))
        alpha = sum(map(min, p, q))
        over = [max(a - b, Fraction(0)) for a, b in zip(p, q, strict=True)]
        assert [min(a, b) + (1 - alpha) * x / sum(over) for a, b, x in zip(p, q, over, strict=True)] == p


def test_one_step_is_hugging_faces(monkeypatch):
    """Same acceptances from the same numbers, and the same distribution to draw the last token from."""
    case = steps.drawn(steps.ROWS, torch.Generator().manual_seed(3), 30, 4, 6, dtype=torch.float64)
    seen = {}
    for p, q, drafted, u in zip(
        case.expect.p, case.expect.q, case.expect.drafted, case.expect.uniforms, strict=True
    ):
        monkeypatch.setattr(torch, "rand_like", lambda like, u=u: u[:-1].reshape(like.shape))
        monkeypatch.setattr(
            torch,
            "multinomial",
            lambda law, num_samples: seen.update(law=law) or torch.zeros(1, 1, dtype=int),
        )
        _, matches = hf._speculative_sampling(drafted[None], q.log()[None], len(drafted), p.log()[None])
        row = verifying.step()(p.tolist(), q.tolist(), drafted.tolist(), u.tolist())
        assert len(row) == int(matches) + 1
        at = len(row) - 1
        law = p[at].tolist() if at == len(drafted) else rules.left(p[at].tolist(), q[at].tolist())
        assert torch.allclose(seen["law"][0], torch.tensor(law, dtype=torch.float64), atol=1e-12)


def test_lookup_is_hugging_faces_but_for_the_newest_place():
    """Hugging Face takes the oldest place, and so does the oracle when told so."""
    dice, apart = torch.Generator().manual_seed(1), 0
    for size in range(1, 40):
        tokens = torch.randint(4, (size,), generator=dice)
        theirs = candidate_generator.PromptLookupCandidateGenerator(None, 5, 3, 1_000).get_candidates(
            tokens[None]
        )[0][0, size:]
        assert lookups.found(tokens.tolist(), 3, 5, newest=False) == theirs.tolist()
        apart += lookups.found(tokens.tolist(), 3, 5) != theirs.tolist()
    assert apart > 5


def test_greedy_is_hugging_faces_assisted_generation_on_the_shipped_pair():
    """In float64, where no two logits are near: token for token, with the small model as the assistant."""
    module, lm = solved(), load("target", torch.float64)
    target, assistant = (
        AutoModelForCausalLM.from_pretrained(WEIGHTS / name, dtype=torch.float64).eval()
        for name in ("target", "draft")
    )
    assistant.generation_config.num_assistant_tokens = 4
    assistant.generation_config.num_assistant_tokens_schedule = "constant"
    assistant.generation_config.assistant_confidence_threshold = 0.0
    for text in ("Once upon a time there was a", "47 + 38\n"):
        ids = torch.tensor([lm.encode(text)])
        theirs = target.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            assistant_model=assistant,
            do_sample=False,
            max_new_tokens=24,
            eos_token_id=None,
            pad_token_id=lm.pad_id,
        )[0, ids.shape[1] :].tolist()
        for gamma in (1, 4):
            session = Session(lm)
            draft = module.ModelDraft(Session("draft", dtype=torch.float64), 0.0)
            assert module.generate(session, draft, ids.tolist(), 24, gamma, Dice(0), 0.0)[0] == theirs
            assert session.passes < 24


def test_the_oracle_of_distribution_is_the_warpers_of_hugging_face():
    """Temperature, top-k, top-p, min-p in the order of `generate`, each alone and together."""
    logits = torch.randn(40, 12, generator=torch.Generator().manual_seed(4), dtype=torch.float64) * 2
    for settings in ((0.6,), (1.7, 5), (1.0, 0, 0.7), (1.3, 0, 1.0, 0.15), (1.6, 6, 0.8), (0.7, 8, 0.9, 0.1)):
        used = processed.Settings(*settings)
        theirs = warpers.TemperatureLogitsWarper(used.temperature)(None, logits) if used.temperature != 1 else logits
        if used.top_k:
            theirs = warpers.TopKLogitsWarper(used.top_k)(None, theirs)
        if used.top_p < 1:
            theirs = warpers.TopPLogitsWarper(used.top_p)(None, theirs)
        if used.min_p:
            theirs = warpers.MinPLogitsWarper(used.min_p)(None, theirs)
        ours = torch.tensor([processed.shaped(row, used) for row in logits.tolist()], dtype=torch.float64)
        assert torch.allclose(ours, theirs.softmax(-1), atol=1e-12), used


def test_the_loops_oracle_is_greedy_decoding_at_zero_and_the_joint_law_above():
    run = loop.drawn(loop.GREEDY, 5, (3, 2), 6, 3, settings=processed.Settings(0.0)).expect.run
    assert plain.right(run)[0] == plain.greedy(run)
    for gamma in (1, 2):
        run = loop.enumerated(gamma, gamma, 2).expect.run
        assert loop.law(run, plain.right(run)[0]).ok


def long_rows(seed: int, rules_of: plain.Rules | None = None, **changed) -> tuple[plain.Run, list[list[int]]]:
    run = loop.long_case(seed).expect.run
    return run, plain.simulate(replace(run, **changed), rules_of)[0]


def test_long_runs_pass_right_loops_and_reject_wrong_ones():
    """The chi-square of long runs: five right runs, then laws that are off by little and by much."""
    for seed in range(5):
        run, rows = long_rows(seed)
        assert long_runs.long_run(run, rows).ok
        assert (
            long_runs.worst(long_runs.followers(run, rows), long_runs.laws(run, run.settings))
            > 1e-4
        )
    run, rows = long_rows(2, plain.Rules(settings=0))
    assert long_runs.long_run(run, rows).misconception == "target-ignores-settings"
    run, rows = long_rows(2, settings=processed.Settings(0.8, 4, 0.85))  # instead of 0.6, on both sides
    assert not long_runs.long_run(run, rows).ok
    run, rows = long_rows(2, plain.Rules(same_numbers=True))
    assert not long_runs.long_run(run, rows).ok


def test_tokens_of_a_pass():
    """The sum over all endings is the closed form, and a simulation."""
    for alpha, gamma in ((0.8, 4), (0.35, 9), (0.0, 3)):
        assert numbers.tokens(alpha, gamma) == pytest.approx(
            (1 - alpha ** (gamma + 1)) / (1 - alpha), rel=1e-12
        )
    assert numbers.tokens(1.0, 5) == 6
    coins = torch.rand(200_000, 4, generator=torch.Generator().manual_seed(0)) < 0.8
    assert 1 + float(coins.cumprod(1).sum(1).double().mean()) == pytest.approx(
        numbers.tokens(0.8, 4), abs=0.02
    )


def test_a_held_session_remembers_what_is_not_taken_back():
    world = worlds.smooth(1, 5)
    held = worlds.Held(world, False, 2)
    whole = held.feed([[1, 2, 3], [4]])
    assert whole.shape == (2, 3, 5) and held.lengths() == [3, 1]
    assert torch.allclose(
        whole[0], torch.tensor([world.target((1,)), world.target((1, 2)), world.target((1, 2, 3))])
    )
    held.truncate([2, 1])
    assert torch.allclose(held.feed([[3], [1]])[0, 0], whole[0, 2])
    assert not torch.allclose(held.feed([[3], [1]])[0, 0], whole[0, 2])
    for bad in ([[1], [7]], [[1]], [[], [1]], [[1.0], [2]], "ab"):
        with pytest.raises(ValueError):
            held.feed(bad)
    with pytest.raises(ValueError):
        held.truncate([99, 0])


def test_the_stack_with_caches_is_the_whole_pass():
    weights = exits.Weights(2, 3)
    stack, text = exits.Stack(weights, 1), [1, 2, 3, 4, 5]
    rows = []
    for part in ([1, 2], [3], [4, 5]):
        x = stack.embed([part])
        for index in range(3):
            x = stack.layer(index, x)
        rows.append(stack.logits(x)[0])
    assert torch.allclose(torch.cat(rows), weights.whole(text, range(3)).float(), atol=1e-5)
