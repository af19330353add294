"""The picture of a grid shows the values that are left, and tells the error."""

import pytest
import torch

from llmlab.figures import style, weights_on_grids


def test_lines_are_the_values_that_occur():
    x = torch.tensor([[-1.0, -0.4, 0.1, 0.9]])
    figure = weights_on_grids(x, {"one step": torch.tensor([[-1.0, 0.0, 0.0, 1.0]]), "exact": x})
    orange = [[line for line in axes.lines if line.get_color() == style.PALETTE[1]] for axes in figure.axes]
    lines = [sorted(line.get_xdata()[0] for line in one) for one in orange]
    assert lines[0] == [-1.0, 0.0, 1.0] and lines[1] == pytest.approx([-1.0, -0.4, 0.1, 0.9])
    error = (0.16 + 0.01 + 0.01) / (1 + 0.16 + 0.01 + 0.81)
    assert figure.alt == ("Histogram of 4 numbers from -1 to 0.9 over 2 grids. one step: 3 values are used, and the "
                          "relative "
                          f"squared error is {error:.2g}; exact: 4 values are used, and the relative squared error "
                          f"is 0.")
    assert [axes.get_title(loc="left") for axes in figure.axes] == [f"one step: 3 values, relative error {error:.2g}",
                                                                    "exact: 4 values, relative error 0"]


@pytest.mark.parametrize(("x", "back", "said"), [
    (torch.zeros(3), {}, "at least one way"),
    (torch.zeros(2, 2), {"flat": torch.zeros(4)}, r"flat has shape \(4,\)")])
def test_what_does_not_fit_is_refused(x, back, said):
    with pytest.raises(ValueError, match=said):
        weights_on_grids(x, back)


def test_zeros_can_be_drawn():
    assert "relative squared error is 0" in weights_on_grids(torch.zeros(5), {"any": torch.zeros(5)}).alt
