"""The strip says what became of each drafted token, and the recorder finds it out from the texts alone."""

import doctest

import pytest
import torch

from llmlab.figures import Checked, Followed, draft_strip, drafts, error_by_layer

PIECES = [bytes([65 + i]) for i in range(20)]


class Staged:
    """Proposes what it is told."""

    def __init__(self, proposals):
        self.proposals = iter(proposals)

    def propose(self, rows, uniforms):
        return torch.tensor([next(self.proposals)] * len(rows)), torch.ones(len(rows), 2, 20)


def test_passes_are_found_from_the_texts():
    followed = Followed(Staged([[1, 2], [3, 4], [5, 6], [9, 9]]), row=1)
    for text in ([0], [0, 1, 7], [0, 1, 7, 3, 4, 8], [0, 1, 7, 3, 4, 8, 2]):
        followed.propose([[0], text], torch.zeros(2, 2))
    found = followed.passes([0, 1, 7, 3, 4, 8, 2])  # its last pass was for the other text
    assert [(one.gained, one.accepted) for one in found] == [((1, 7), 1), ((3, 4, 8), 2), ((2,), 0)]


def test_the_strip_shows_accepted_struck_and_added_tokens():
    figure = draft_strip([Checked((1, 2), (1, 7)), Checked((3, 4), (3, 4, 8)), Checked((5, 6), (5,))], PIECES)
    axes = figure.axes[0]
    said = [text.get_text() for text in axes.texts]
    assert said == ["B", "C", "H", "instead", "D", "E", "I", "bonus", "F", "G"]
    assert len(axes.lines) == 2  # struck out: token 2 of the first pass; the last pass was cut off behind its first
    assert figure.alt == ("3 passes with 2 drafted tokens each: 4 of 6 drafted tokens were accepted, and the text gained 6. "
                          "The first pass accepted 1 and wrote 'BH'.")
    with pytest.raises(ValueError, match="no pass"):
        draft_strip([], PIECES)


def test_errors_by_layer_name_the_worst():
    figure = error_by_layer({"plain": {"0.q": 0.1, "0.k": 0.4}, "better": {"0.q": 0.05, "0.k": 0.02}}, "error")
    assert figure.alt == ("The error of 2 matrices. plain: 0.4 at worst, in 0.k, and 0.1 at best; "
                          "better: 0.05 at worst, in 0.q, and 0.02 at best.")
    assert [line.get_ydata().tolist() for line in figure.axes[0].lines] == [[0.1, 0.4], [0.05, 0.02]]
    for wrong in ({}, {"a": {"x": 1.0}, "b": {"y": 1.0}}, {"a": {"x": 0.0}}):
        with pytest.raises(ValueError, match="same matrices|more than 0"):
            error_by_layer(wrong)


def test_examples():
    assert doctest.testmod(drafts).failed == 0
