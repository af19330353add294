"""The oracles of the penalties' checks against Hugging Face, OpenAI's formula by hand, and closed forms."""

import math

import pytest
import torch
from transformers.generation.logits_process import NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

from llmlab.checks.penalties import length, ngram, rules, soft, together

ROWS = 600


def texts(seed: int, vocab: int = 12, prompt: int = 5, new: int = 7):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(ROWS, vocab, generator=generator, dtype=torch.float64) * 3
    tokens = torch.randint(vocab, (ROWS, prompt + new), generator=generator)
    return logits, tokens[:, :prompt], tokens[:, prompt:]


@pytest.mark.parametrize("theta", [0.7, 1.0, 1.3, 2.0])
def test_repetition_equals_hugging_face_on_random_rows(theta):
    logits, prompt, new = texts(1)
    ours = rules.by_rows(logits, prompt, new, lambda z, p, g: rules.repetition(z, p, g, theta))
    theirs = RepetitionPenaltyLogitsProcessor(theta)(torch.cat([prompt, new], 1), logits.clone())
    assert torch.allclose(ours, theirs, rtol=1e-12, atol=0)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_ngram_ban_equals_hugging_face_on_random_rows(n):
    logits, prompt, new = texts(2, vocab=4, prompt=8, new=9)
    ours = rules.by_rows(logits, prompt, new, lambda z, p, g: rules.ban(z, p, g, n))
    theirs = NoRepeatNGramLogitsProcessor(n)(torch.cat([prompt, new], 1), logits.clone())
    assert torch.equal(ours, theirs)
    assert (ours == -math.inf).any(1).sum() > ROWS // 10, "the rows should be of a kind where something is forbidden"


def test_ngram_ban_equals_hugging_face_on_short_texts():
    for size in range(5):
        for n in range(1, 6):
            text = torch.zeros(1, size, dtype=torch.int64)
            theirs = NoRepeatNGramLogitsProcessor(n)(text, torch.ones(1, 3))
            assert rules.ban([1.0, 1.0, 1.0], [], text[0].tolist(), n) == theirs[0].tolist()


# Token, times generated, times in the prompt; presence 0.3 and frequency 0.2 by OpenAI's formula
# mu[j] - c[j] * frequency - (c[j] > 0) * presence, worked out by hand from mu = 1.
TABLE = ((0, 0, 0, 1.0, 1.0, 1.0), (1, 0, 3, 1.0, 1.0, 1.0), (2, 1, 0, 0.7, 0.8, 0.5), (3, 3, 0, 0.7, 0.4, 0.1),
         (4, 3, 2, 0.7, 0.4, 0.1))


def test_presence_and_frequency_equal_the_table_made_by_hand():
    prompt = [token for token, _, times, *_ in TABLE for _ in range(times)]
    new = [token for token, times, *_ in TABLE for _ in range(times)]
    row = [1.0] * len(TABLE)
    assert rules.presence(row, prompt, new, 0.3) == pytest.approx([line[3] for line in TABLE])
    assert rules.frequency(row, prompt, new, 0.2) == pytest.approx([line[4] for line in TABLE])
    both = together.chain(together.RIGHT, together.OFF | {"presence": 0.3, "frequency": 0.2})
    assert both(row, prompt, new) == pytest.approx([line[5] for line in TABLE])


def test_the_lecture_counts_presence_three_times():
    assert rules.presence([0.0], [], [0, 0, 0], 0.3) == [-0.3]
    wrong, _ = rules.WRONG_PRESENCE["presence-per-occurrence"]
    assert wrong([0.0], [], [0, 0, 0], 0.3) == pytest.approx([-0.9])


def test_the_lectures_multiplication_rewards_a_positive_logit():
    def first(row):
        return float(torch.tensor(row).softmax(0)[0])

    z = [2.0, 1.0, 0.5, -2.0]
    wrong, _ = rules.WRONG_REPETITION["multiplies-positive-logits"]
    assert first(rules.repetition(z, [], [0], 1.5)) < first(z) < first(wrong(z, [], [0], 1.5))


def test_repetition_depends_on_where_zero_lies_and_the_subtracting_ones_do_not():
    logits, prompt, new = texts(3)

    def moved(rule, strength):
        """Largest change of a probability when all logits are shifted by 4."""
        plain, shifted = (rules.by_rows(z, prompt, new, lambda z, p, g: rule(z, p, g, strength)).softmax(-1)
                          for z in (logits, logits + 4))
        return float((plain - shifted).abs().max())

    assert moved(rules.repetition, 1.3) > 0.1
    assert moved(rules.presence, 0.5) < 1e-12
    assert moved(rules.frequency, 0.5) < 1e-12


def test_length_penalty_flips_at_the_alpha_of_the_closed_form():
    """-3 in 2 tokens against -5 in 6: equal scores where the quotient of the divisors is 5/3."""
    for form, sizes in (("hf", (2, 6)), ("gnmt", (7 / 6, 11 / 6))):
        flip = math.log(5 / 3) / math.log(sizes[1] / sizes[0])
        score = length.ORACLE[form]
        for alpha, long_wins in ((flip - 1e-6, False), (flip + 1e-6, True)):
            assert (score(-5.0, 6, alpha) > score(-3.0, 2, alpha)) is long_wins
    assert math.log(5 / 3) / math.log(11 / 7) > 2 * math.log(5 / 3) / math.log(3), "gnmt's form is the milder one"


def test_order_of_penalties_matters_only_for_repetition():
    logits, prompt, new = texts(4)
    strengths = together.OFF | {"repetition": 1.4, "presence": 0.7, "frequency": 0.3, "no_repeat_ngram": 2}

    def outcome(*order):
        return rules.by_rows(logits, prompt, new, together.chain(order, strengths))

    right = outcome(*together.RIGHT)
    assert torch.allclose(right, outcome("repetition", "presence", "frequency", "no_repeat_ngram"), rtol=1e-12)
    assert torch.equal(right, outcome("no_repeat_ngram", "repetition", "frequency", "presence"))
    differ = (right - outcome("frequency", "presence", "repetition", "no_repeat_ngram")).nan_to_num(0).abs().amax(1) > 0.01
    assert differ.float().mean() > 0.9


@pytest.mark.parametrize("module", [soft, ngram, together], ids=["soft", "ngram", "together"])
def test_every_wrong_rule_is_told_apart_somewhere(module):
    """A wrong rule whose value equals the right one in every case could never be named."""
    named: dict[str, set[str]] = {}
    telling: dict[str, set[str]] = {}
    for case in module.cases(0):
        for name, (value, _) in getattr(case.expect, "wrong", {}).items():
            named.setdefault(case.task, set()).add(name)
            value = value() if callable(value) else value
            if not torch.allclose(value.double(), case.expect.value.double(), atol=0.05):
                telling.setdefault(case.task, set()).add(name)
    assert named and telling == named
