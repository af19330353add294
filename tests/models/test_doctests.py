"""The examples in the docstrings of llmlab.models say what the code does."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import llmlab.models

MODULES = [
    m.name
    for m in pkgutil.walk_packages(llmlab.models.__path__, "llmlab.models.")
    if "__main__" not in m.name
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    found = [t for name in MODULES for t in finder.find(importlib.import_module(name)) if t.examples]
    assert len(found) >= 12
