"""The oracles of medusa's checks against Hugging Face and torch, and what the rules can tell apart."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from llmlab.checks.compare import FALSE_ALARM, types_p
from llmlab.checks.kv_cache.tiny import Tiny
from llmlab.checks.medusa import heads, loop, passes, trees, typical
from llmlab.checks.medusa.staged import LEAD, Stage
from tests.checks.test_kv_cache_oracles import as_hf


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
@pytest.mark.parametrize("heads_of", [(4, 2), (3, 3)])
def test_a_tree_is_hugging_faces_pass_with_a_mask_of_four_dimensions(heads_of):
    tiny, past, parents = Tiny(21, *heads_of), [5, 9, 2], list(trees.BUSHY)
    tokens = torch.randint(tiny.vocab, (len(parents),), generator=draws(1)).tolist()
    size, depth = len(past), [len(trees.path_of(parents, node)) - 1 for node in range(len(parents))]
    seen = passes.square_of(size + len(parents))
    seen[size:, size:] = trees.square(parents)
    mask = torch.zeros(seen.shape, dtype=torch.float64).masked_fill(~seen, torch.finfo(torch.float64).min)
    where = torch.tensor([[*range(size), *(size + d for d in depth)]])
    out = as_hf(tiny)(torch.tensor([past + tokens]), attention_mask=mask[None, None], position_ids=where)
    ours = passes.right(tiny, past, tokens, parents)
    assert (tiny.logits(ours) - out.logits[0, size:]).abs().max() < 1e-5
    assert (passes.run(tiny, past, tokens, parents, passes.Rule("")) - ours).abs().max() < 1e-9


def stages(seed: int) -> list[Stage]:
    return [case.expect for case in loop.cases(seed) if isinstance(case.expect, Stage)]


@torch.no_grad()
def test_the_text_of_a_stage_is_that_of_generate():
    for stage in stages(0):
        new = len(stage.text)
        theirs = as_hf(stage.tiny).generate(
            torch.tensor([stage.prompt]), max_new_tokens=new, do_sample=False, pad_token_id=0, eos_token_id=None)
        assert theirs[0, len(stage.prompt) :].tolist() == stage.text


@pytest.mark.parametrize("seed", [0, 1])
def test_sizes_and_paths_of_a_stage_by_trees(seed):
    """The stage counts along the greedy text. Here the trees are made, run path by path, and searched."""
    for stage in stages(seed):
        tiny, written, sizes, paths = stage.tiny, stage.text[:1], [], []
        while len(written) < stage.n:
            before = [*stage.prompt, *written[:-1]]
            row = tiny.whole(before)[-1]
            logits = heads.said(tiny, stage.heads, row[None, None])[:, 0]
            tokens, parents = trees.tree(written[-1], logits, stage.tops)
            choices = tiny.logits(passes.right(tiny, before, tokens, parents)).argmax(-1).tolist()
            paths.append(trees.best(tokens, parents, choices))
            sizes.append(len(paths[-1]))
            written += [choices[node] for node in paths[-1]]
        assert (sizes, paths) == (stage.sizes(), stage.paths())
        assert written[: stage.n] == stage.text[: stage.n]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rounding_decides_no_token_and_no_candidate(seed):
    for stage in stages(seed):
        x = stage.tiny.whole([*stage.prompt, *stage.text])[len(stage.prompt) - 1 :][: len(stage.offered)]
        rows = x.float()
        narrow = torch.stack([stage.tiny.narrow.logits(rows + F.silu(rows @ weight.T)) for weight in stage.heads])
        wide = heads.said(stage.tiny, stage.heads, x[None])
        assert (narrow - wide).abs().max() < LEAD / 10


def test_the_stages_tell_of_every_kind_of_pass():
    """Passes that give one token, two, and all; paths that do not lie at the tree's beginning."""
    found = stages(0)
    assert {1, 2, 3} <= {size for stage in found for size in stage.sizes()}
    assert any(path != list(range(len(path))) for stage in found for path in stage.paths()[:-1])
    (asked,) = (case.expect for case in loop.cases(0) if case.group == loop.PASSES)
    assert asked.sizes() != asked.sizes(lambda at, size: at + 1)


def test_heads_and_their_loss_are_torchs():
    tiny, generator = Tiny(23, layers=1), draws(2)
    x, weights = torch.randn(1, 3, 36, generator=generator), torch.randn(2, 36, 36, generator=generator)
    theirs = torch.stack([tiny.logits(x[0].double() + F.silu(F.linear(x[0].double(), w.double()))) for w in weights])
    assert (heads.said(tiny, weights, x) - theirs).abs().max() < 1e-9
    logits, ids = torch.randn(2, 6, 7, generator=generator), torch.tensor([3, 1, 4, 1, 5, 0])
    theirs = torch.stack([F.cross_entropy(logits[0, :4], ids[2:]), F.cross_entropy(logits[1, :3], ids[3:])])
    assert torch.allclose(heads.means(heads.loss(logits, ids)), theirs, atol=1e-5)


def test_every_wrong_rule_of_a_pass_is_told_apart_somewhere():
    seen = set()
    for case in passes.cases(0):
        given = case.expect.tiny, case.expect.past, case.expect.tokens, case.expect.parents
        want = passes.right(*given)
        seen |= {name for name, rule in passes.RULES.items() if (passes.run(*given, rule) - want).abs().max() > 0.05}
    assert seen == set(passes.RULES)


@pytest.mark.parametrize("module", [heads, typical], ids=["heads", "typical"])
def test_every_wrong_value_is_told_apart_somewhere(module):
    named, seen = set(), set()
    for case in module.cases(0):
        for name, (value, _) in getattr(case.expect, "wrong", {}).items():
            value, want = value() if callable(value) else value, case.expect.value
            named.add((case.task, name))
            if value.shape != want.shape or not torch.allclose(value.double(), want.double(), atol=0.01):
                seen.add((case.task, name))
    assert named and named == seen


def test_typical_acceptance_is_lossy_and_the_oracle_says_by_how_much():
    """Draws by the rule fit the computed distribution, and not the target's: the negative control."""
    case = typical.cases(0)[3]
    p, q, epsilon, delta = case.steps[0].args
    goes, generator, n = torch.tensor(typical.passed(p.double().tolist(), epsilon, delta)), draws(3), 40_000
    drafts = torch.multinomial(q, n, replacement=True, generator=generator)
    others = torch.multinomial(p, n, replacement=True, generator=generator)
    counts = torch.where(goes[drafts], drafts, others).bincount(minlength=len(p))
    assert types_p(counts, case.expect.value.double()) > FALSE_ALARM
    assert types_p(counts, p.double()) < FALSE_ALARM


@pytest.mark.parametrize("columns", [[0, 0], [9], [-1], [True], ["0"], None, torch.zeros(2, 2), [0.0]])
def test_the_cache_refuses_what_it_cannot_keep(columns):
    cache = passes.TreeCache(Tiny(25), [1, 2, 3])
    with pytest.raises(ValueError, match=r"keep"):
        cache.keep(columns)
    assert cache.length() == 3
