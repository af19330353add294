"""One warm harness for all tests of this folder, and each module's cases made once."""

from functools import cache

import pytest

from llmlab.checks import registry
from llmlab.grading import hidden
from llmlab.harness.runner import Harness


@cache
def public_cases(module: str, seed: int):
    return registry.checks_of(module).cases(seed)


@cache
def hidden_cases(module: str):
    return hidden.cases(module)


@pytest.fixture(scope="session")
def harness():
    with Harness() as harness:
        yield harness


@pytest.fixture(scope="session")
def report(harness):
    """report(module, source, seed=0, only="", hidden=False) -> Report of these bytes, of all tasks or of `only`."""
    def run(module: str, source: bytes, seed: int = 0, only: str = "", hidden: bool = False):
        cases = hidden_cases(module) if hidden else public_cases(module, seed)
        return harness.check_source(module, source, f"{module}.py", registry.tasks(only or module), cases,
                                    registry.checks_of(module))

    return run
