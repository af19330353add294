"""The picture of a mask shows what the mask says."""

import doctest

import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from llmlab.figures import masks, seen_columns, style

RIGHT = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]).bool()


def filled(axes) -> list[list[bool]]:
    squares = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    flat = [patch.get_facecolor()[3] > 0 and to_hex(patch.get_facecolor()) == style.PALETTE[0].lower() for patch in squares]
    return [flat[i:i + 4] for i in range(0, len(flat), 4)]


def test_filled_squares_are_what_the_mask_allows():
    figure = seen_columns({"right": RIGHT[None], "torch.tril": torch.ones(2, 4).tril()}, torch.tensor([0, 1, 1, 1]))
    assert [filled(axes) for axes in figure.axes] == [RIGHT.tolist(), torch.ones(2, 4).tril().bool().tolist()]
    assert figure.alt == ("Attention masks over 4 columns. right: the newest of 2 tokens sees columns 0 to 3; "
                          "torch.tril: the newest of 2 tokens sees columns 0 to 1.")


def test_rings_mark_the_new_tokens_own_columns():
    axes = seen_columns({"right": RIGHT}).axes[0]
    rings = [line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() == "o"]
    assert rings == [[2.5, 0.5], [3.5, 1.5]]


@pytest.mark.parametrize("given", [{}, {"a": torch.ones(1, 2), "b": torch.ones(2, 2)}])
def test_masks_of_several_shapes_are_refused(given):
    with pytest.raises(ValueError, match="of the same shape"):
        seen_columns(given)


def test_examples():
    assert doctest.testmod(masks).failed == 0
