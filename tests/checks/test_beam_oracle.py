"""The check of beam_search: its oracle and the solution against exhaustive search and Hugging Face's `generate`."""

import types

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from llmlab.checks.decoding import beam, fakes
from llmlab.checks.decoding.beam_rules import Search, exhaustive, gap, search, wrong_results
from llmlab.checks.protocol import Model
from llmlab.grading import variants

VOCAB, EOS = 9, 4


@pytest.fixture(scope="module")
def solution():
    module = types.ModuleType("solved_decoding")
    exec(compile(variants.solution("decoding"), "decoding.py", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize(("vocab", "steps", "eos"), [(3, 3, None), (3, 4, 2), (4, 3, 0), (2, 5, 1)])
def test_with_enough_beams_the_search_is_exact(vocab, steps, eos):
    for seed in range(4):
        for penalty in (1.0, 0.0, 0.7):
            run = Search(fakes.table(seed, vocab), [0, 1], vocab ** (steps - 1), steps, eos, penalty)
            assert beam.same(search(run), exhaustive(run, vocab))


def test_with_few_beams_it_is_not():
    """Negative control: otherwise the comparison above would say nothing."""
    runs = [Search(fakes.table(seed, 4), [0], 1, 4) for seed in range(30)]
    missed = sum(search(run)[0][1] != exhaustive(run, 4)[0][1] for run in runs)
    assert missed > 5


def tiny(seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(vocab_size=VOCAB, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
                         num_key_value_heads=2, initializer_range=0.6, bos_token_id=None, eos_token_id=EOS, pad_token_id=0)
    return LlamaForCausalLM(config).double().eval()


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize(("beams", "penalty"), [(2, 1.0), (4, 0.6), (3, 2.0), (3, 0.0), (3, -0.5)])
def test_oracle_and_solution_equal_hugging_face(solution, seed, beams, penalty):
    llama, steps = tiny(seed), 7

    @torch.inference_mode()
    def answer(ids, attention_mask):
        return llama(ids, attention_mask=attention_mask).logits[:, -1]

    prompt = torch.randint(VOCAB, (4,), generator=torch.Generator().manual_seed(seed)).tolist()
    run = Search(Model(answer, VOCAB), prompt, beams, steps, EOS, penalty)
    assert gap(run, VOCAB) > 1e-5, "HF sums in float32: nearer numbers may change places"
    ids = torch.tensor([prompt])
    theirs = llama.generate(ids, attention_mask=torch.ones_like(ids), num_beams=beams, num_return_sequences=beams,
                            max_new_tokens=steps, do_sample=False, early_stopping="never", length_penalty=penalty,
                            eos_token_id=EOS, pad_token_id=0, output_scores=True, return_dict_in_generate=True)
    rows = [row[:row.index(EOS) + 1] if EOS in row else row for row in theirs.sequences[:, 4:].tolist()]
    wanted = list(zip(theirs.sequences_scores.tolist(), rows, strict=True))
    assert beam.same(search(run), wanted)
    ours = solution.beam_search(answer, prompt, beams=beams, max_new_tokens=steps, eos_id=EOS, length_penalty=penalty)
    assert beam.same(ours, wanted)


def test_a_longer_hypothesis_overtakes_at_the_alpha_of_the_closed_form(solution):
    """One token with log-probability -1 then EOS at once, or four sure tokens: equal scores where 4 ** alpha is the ratio."""
    laws = {0: torch.tensor([0.0, 0.5, 0.5, 0.0]).log(), 1: torch.tensor([0.0, 0.0, 0.4, 0.6]).log(),
            2: torch.tensor([0.0, 0.0, 0.8, 0.2]).log()}
    model = fakes.fixed(laws, 4)
    short, long = 0.5 * 0.6, 0.5 * 0.8**3  # texts 1 3 and 2 2 2 2
    sums = torch.tensor([short, long], dtype=torch.float64).log()
    flip = float((sums[1] / sums[0]).log() / torch.tensor(2.0, dtype=torch.float64).log())  # 2 tokens against 4
    for alpha, best in ((flip - 0.01, [1, 3]), (flip + 0.01, [2, 2, 2, 2])):
        found = solution.beam_search(model.fn, [0], beams=3, max_new_tokens=4, eos_id=3, length_penalty=alpha)
        assert found[0][1] == best
        assert beam.same(found, search(Search(model, [0], 3, 4, 3, alpha)))


def test_every_misconception_of_the_search_has_a_case_that_could_name_it():
    told, known = set(), set()
    for case in beam.cases(0):
        if isinstance(case.expect, beam.Best):
            for name, wrong, _ in wrong_results(case.expect.run):
                known.add(name)
                if not beam.same(wrong(), case.expect.right):
                    told.add(name)
    assert told == known
