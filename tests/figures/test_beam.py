"""The tree of a beam search: kept and dropped branches against an exhaustive look at a small vocabulary."""

import itertools
import math

import pytest
import torch

from llmlab.figures import Watch, beam_tree, branches, draw_tree

V = 4
PIECES = [b" a", b" b", b"c", b""]
EOS = 3
TABLE = torch.tensor([[1.0, 0.2, -1.0, -2.0], [0.0, 2.0, 0.5, 1.5], [-1.0, 0.3, 1.0, 0.9], [0.0] * 4])


def step_logits(prefix):
    """Logits that depend on the last token only."""
    return TABLE[prefix[-1] if prefix else 0]


def total(prefix):
    """Sum of log-probabilities, by plain arithmetic."""
    found, last = 0.0, 0
    for token in prefix:
        row = TABLE[last].tolist()
        found += row[token] - math.log(sum(math.exp(z) for z in row))
        last = token
    return found


def live_sets(beams, steps):
    """The live prefixes of every depth, by ranking all extensions of the last ones."""
    levels = [[()]]
    for _ in range(steps):
        grown = [(*prefix, t) for prefix in levels[-1] for t in range(V) if t != EOS]
        levels.append(sorted(grown, key=total, reverse=True)[:beams])
    return levels


def search(model, prompt, *, beams, max_new_tokens, eos_id, length_penalty):
    """Plays a search: asks for the live prefixes of every depth, and returns the best sequences there are."""
    for level in live_sets(beams, max_new_tokens - 1):
        ids = torch.tensor([[*prompt, *prefix] for prefix in level])
        model(ids, torch.ones_like(ids))
    ended = [(*p, EOS) for n in range(max_new_tokens) for p in itertools.product(range(EOS), repeat=n)]
    full = list(itertools.product(range(EOS), repeat=max_new_tokens))
    return sorted(((total(p), list(p)) for p in ended + full), reverse=True)[:beams]


def trace(beams=2, steps=3):
    watch = Watch(lambda ids, mask: torch.stack([step_logits(tuple(row[1:].tolist())) for row in ids]))
    found = search(watch, [0], beams=beams, max_new_tokens=steps, eos_id=EOS, length_penalty=0.0)
    return branches(watch.rows, [0], [tokens for _, tokens in found], beams), found


def test_kept_dropped_and_results_are_told_apart():
    found, results = trace()
    levels = live_sets(2, 2)
    finals = {tuple(tokens) for _, tokens in results}
    for branch in found:
        lived = len(branch.prefix) < 3 and branch.prefix in levels[len(branch.prefix)]
        wanted = "result" if branch.prefix in finals else "kept" if lived else "dropped"
        assert branch.fate == wanted, branch
        assert branch.score == pytest.approx(total(branch.prefix), abs=1e-6)
    assert {branch.fate for branch in found} == {"kept", "dropped", "result"}
    drawn = {branch.prefix for branch in found}
    assert {prefix for level in levels[1:] for prefix in level} <= drawn  # nothing that lived is missing


def test_padded_rows_are_read_without_their_padding():
    watch = Watch(lambda ids, mask: torch.zeros(2, V))
    watch(torch.tensor([[0, 0, 5], [0, 6, 7]]), torch.tensor([[0, 1, 1], [1, 1, 1]]))
    assert set(watch.rows) == {(0, 5), (0, 6, 7)}


def test_the_picture_has_one_line_for_each_branch():
    found, results = trace()
    figure = beam_tree(step_logits, PIECES, beams=2, steps=3, eos_id=EOS, beam_search=search)
    axes = figure.axes[0]
    fates = [line.get_gid() for line in axes.lines if line.get_gid() in ("kept", "dropped", "result")]
    assert sorted(fates) == sorted(branch.fate for branch in found)
    thick = {line.get_gid(): line.get_linewidth() for line in axes.lines}
    assert thick["kept"] > thick["dropped"]
    stars = [line for line in axes.lines if line.get_gid() == "star"]
    assert len(stars) == sum(branch.fate == "result" for branch in found)
    texts = {text.get_text() for text in axes.texts}
    assert all(any(text.endswith(f"{branch.score:.2f}") for text in texts) for branch in found)
    dropped = sum(branch.fate == "dropped" for branch in found)
    assert f"{len(found) - dropped} branches kept and {dropped} dropped" in figure.alt
    assert f"log-probability {results[0][0]:.2f}" in figure.alt


def test_labels_do_not_lie_on_each_other():
    axes = beam_tree(step_logits, PIECES, beams=2, steps=3, eos_id=EOS, beam_search=search).axes[0]
    places = [tuple(round(x, 6) for x in text.get_position()) for text in axes.texts]
    assert len(places) == len(set(places))


def test_a_search_that_never_asks_is_told():
    with pytest.raises(ValueError, match="never asked"):
        draw_tree([], PIECES)
