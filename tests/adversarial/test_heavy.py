"""A student's process cannot fill the memory of the trusted one, nor its ledger."""

import json
import subprocess
import sys

import pytest

from llmlab._finder import PACKAGE
from tests.adversarial import heavy

ALLOWED = {"large-questions-to-the-model"}  # many questions may be right; what they take is what counts


@pytest.fixture(scope="module")
def found():
    done = subprocess.run([sys.executable, "-m", "tests.adversarial.heavy"], capture_output=True, text=True,
                          cwd=PACKAGE.parent, timeout=500)
    assert done.returncode == 0, done.stderr[-2_000:]
    told = json.loads(done.stdout)
    assert told[""]["earned"] == 1, "the honest case"
    return told


@pytest.mark.parametrize("name", heavy.HEAVY)
def test_memory_and_record_stay_small(found, name):
    told = found[name]
    assert told["mb"] <= heavy.MOST_MB and told["bytes"] <= heavy.MOST_BYTES, told
    assert name in ALLOWED or told["earned"] == 0, told
