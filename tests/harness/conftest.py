"""A warm harness for all tests of this folder, and a workspace to stand in."""

import pytest

from llmlab.harness.runner import Harness
from tests.harness.toys import run_toy


@pytest.fixture(scope="session")
def harness():
    with Harness() as harness:
        yield harness


@pytest.fixture
def toy(harness):
    """toy(source, *cases) -> TaskResult"""
    return lambda source, *cases, **named: run_toy(harness, source, *cases, **named)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A folder with llmlab.toml that is the current folder; LLMLAB_CODE is not set and `llmlab.use` undone.
    """
    from llmlab import _finder

    monkeypatch.delenv("LLMLAB_CODE", raising=False)
    (tmp_path / "llmlab.toml").write_text('[workspace]\ncode = "."\n')
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    _finder.use(None)
