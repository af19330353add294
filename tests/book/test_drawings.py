"""Every plot of llmlab.figures is drawn in a lab, from the student's own run, and shown in a chapter."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from llmlab import figures

ROOT = Path(__file__).resolve().parents[2]
PLACES = {
    "a lab": sorted((ROOT / "assignments" / "text").glob("lab*.py")),
    "a chapter": sorted((ROOT / "book").glob("part*/*.md")),
}
PARTS = {"draw_tree": "beam_tree"}
"""Plots that are drawn through another one."""


def plots() -> list[str]:
    """The names in llmlab.figures whose functions return a Drawing."""
    functions = [(name, getattr(figures, name)) for name in figures.__all__]
    return [
        name
        for name, one in functions
        if inspect.isfunction(one) and "Drawing" in str(inspect.signature(one).return_annotation)
    ]


def unused(names: list[str], texts: list[str]) -> list[str]:
    """Which of the names no text calls as figures.NAME(...)."""
    return [name for name in names if not any(re.search(rf"\bfigures\.{name}\(", text) for text in texts)]


@pytest.mark.parametrize("place", PLACES)
def test_every_plot_is_used(place: str) -> None:
    names = [PARTS.get(name, name) for name in plots()]
    assert len(names) > 15
    assert not unused(names, [path.read_text(encoding="utf-8") for path in PLACES[place]]), place


def test_a_plot_that_nobody_draws_is_noticed() -> None:
    """Negative control: without the lab that draws beam trees, the test above has something to say."""
    texts = [path.read_text(encoding="utf-8") for path in PLACES["a lab"] if path.name != "lab1_2.py"]
    assert "beam_tree" in unused(plots(), texts)
    assert unused(["top_p"], ["figures.top_probabilities(x)", "top_p(x)"]) == ["top_p"]
