"""Matrices laid out once, and the session for few tokens a pass: the logits of the plain session, in every type and layout."""

from __future__ import annotations

import pytest
import torch

from llmlab.models import load
from llmlab.models.layouts import Packed, Plain, Transposed, can_pack
from llmlab.models.prepacked import FewTokens
from llmlab.models.session import Session

IDS = [17, 300, 5, 999, 42, 42, 7, 1200, 3, 64, 801, 12]


@pytest.mark.parametrize(("dtype", "layout", "close"), [
    (torch.float32, "packed", 1e-4), (torch.float32, "plain", 1e-4), (torch.bfloat16, "packed", 0.3)])
def test_passes_of_any_size_and_rollbacks_give_the_logits_of_the_whole_text(dtype, layout, close):
    lm = load("target")
    whole = Session(lm).feed([IDS])
    session = FewTokens(lm, dtype, layout)
    session.feed([[*IDS[:3], 11, 12, 13]])
    session.truncate([3])
    rows = [session.feed([IDS[3:4]]), session.feed([IDS[4:6]]), session.feed([IDS[6:]])]
    assert (torch.cat(rows, 1) - whole[:, 3:]).abs().max() < close
    assert session.lengths() == [12] and (session.passes, session.tokens) == (4, 15)
    session.reset()
    assert session.lengths() == [0] and session.passes == 0


@pytest.mark.parametrize("rows", [1, 2, 4, 5, 17])
@pytest.mark.parametrize("layout", [Packed, Plain, Transposed])
def test_a_product_with_any_number_of_rows(rows, layout):
    generator = torch.Generator().manual_seed(rows)
    weight, x = torch.randn(6, 8, generator=generator), torch.randn(rows, 8, generator=generator)
    assert torch.allclose(layout(weight)(x), x @ weight.T, atol=1e-5)
    if layout is not Plain:
        more = torch.randn(rows, 6, generator=generator)
        assert torch.allclose(layout(weight).plus(x, more), x @ weight.T + more, atol=1e-5)


def test_what_does_not_fit_is_named():
    lm = load("draft")
    with pytest.raises(ValueError, match="'paced'"):
        FewTokens(lm, layout="paced")
    for rows in ([], [[]], [[1], [2]]):
        with pytest.raises(ValueError, match="one sequence"):
            FewTokens(lm).feed(rows)
    assert not can_pack(torch.float64)
