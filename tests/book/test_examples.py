"""The worked examples in the extensions' docstrings."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest


@pytest.mark.parametrize("name", ["num", "ledger", "figures", "offline", "glossary_tips"])
def test_the_examples_hold(request: pytest.FixtureRequest, name: str) -> None:
    module: ModuleType = request.getfixturevalue(name)
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0, result
