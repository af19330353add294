"""`llmlab(...)` runs a command line in this process; `workspace` is a fresh workspace to stand in."""

from dataclasses import dataclass

import pytest

from llmlab import _finder
from llmlab.cli.app import run


@dataclass
class Ran:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """No environment and no chosen folder of the person who runs the tests; the current folder is empty."""
    for name in ("LLMLAB_CODE", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LLMLAB_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    _finder.use(None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def llmlab(capsys):
    """llmlab("check", "decoding") -> Ran. Never lets an exception through: `run` must not."""
    def call(*argv: str) -> Ran:
        capsys.readouterr()
        code = run([str(arg) for arg in argv])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Ran(code, out, err)

    return call


@pytest.fixture
def workspace(llmlab, apart, monkeypatch):
    assert llmlab("start", "ws").code == 0
    monkeypatch.chdir(apart / "ws")
    return apart / "ws"
